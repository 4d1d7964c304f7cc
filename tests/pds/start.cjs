// A PDS and an in-memory PLC directory on 127.0.0.1, free ports, data in the folder given as the
// first argument. Prints one line of JSON, {"pds": port, "plc": port, "admin": password}, when both
// answer.
// Ends when its standard input closes, so it never outlives the tests that started it.
"use strict";

const crypto = require("node:crypto");
const net = require("node:net");
const path = require("node:path");

// Both servers listen on every interface by default: pin whatever they open to the loopback.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === "number" && typeof args[1] !== "string") {
    args.splice(1, 0, "127.0.0.1");
  } else if (args[0] && args[0].port != null && !args[0].host) {
    args[0] = { ...args[0], host: "127.0.0.1" };
  }
  return listen.apply(this, args);
};

// A desk under test is known to the server by an https name with its port on the loopback in it:
// desk-8000.town-desk.org. No name is looked up for it.
const realFetch = globalThis.fetch;
globalThis.fetch = function (input, init) {
  const url = new URL(input instanceof Request ? input.url : String(input));
  const desk = /^desk-(\d+)\.town-desk\.org$/.exec(url.hostname);
  return desk
    ? realFetch(`http://127.0.0.1:${desk[1]}${url.pathname}`, { redirect: "error" })
    : realFetch.call(this, input, init);
};

const { PDS, envToCfg, envToSecrets, readEnv } = require("@atproto/pds");
const plc = require("@did-plc/server");

// The PDS writes its own address into what it serves, so its port must be known beforehand.
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(0, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function main(folder) {
  const plcPort = await freePort();
  const pdsPort = await freePort();
  const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: plcPort });
  await directory.start();

  const key = () => crypto.randomBytes(32).toString("hex");
  const admin = key();
  Object.assign(process.env, {
    PDS_HOSTNAME: "localhost", // any other name makes the server call itself https
    PDS_PORT: String(pdsPort),
    PDS_DATA_DIRECTORY: folder,
    PDS_BLOBSTORE_DISK_LOCATION: path.join(folder, "blobs"),
    PDS_BLOBSTORE_DISK_TMP_LOCATION: path.join(folder, "blobs-tmp"),
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: key(),
    PDS_DPOP_SECRET: key(),
    PDS_JWT_SECRET: key(),
    PDS_ADMIN_PASSWORD: admin,
    PDS_DID_PLC_URL: `http://127.0.0.1:${plcPort}`,
    PDS_INVITE_REQUIRED: "false",
    PDS_DEV_MODE: "true",
    PDS_ENABLE_DID_DOC_WITH_SESSION: "true",
    PDS_SERVICE_HANDLE_DOMAINS: ".test",
    LOG_ENABLED: "0",
  });
  const env = readEnv();
  const server = await PDS.create(envToCfg(env), envToSecrets(env));
  await server.start();

  process.stdin.resume();
  process.stdin.once("end", async () => {
    setTimeout(() => process.exit(0), 3000).unref(); // open streams must not hold us
    await server.destroy();
    await directory.destroy();
    process.exit(0);
  });
  console.log(JSON.stringify({ pds: pdsPort, plc: plcPort, admin }));
}

main(process.argv[2]).catch((fault) => {
  console.error(fault);
  process.exit(1);
});
