// Forms that a passkey answers: ask the desk what to sign, let the browser ask its user, and send
// the form with the answer. Without a script, or where a browser has no passkeys, the form is sent
// as it is and the desk says what it needs.
(() => {
  if (window.breakwaterPasskeys) return; // a page with several such forms names this script often
  window.breakwaterPasskeys = true;
  const able = Boolean(window.PublicKeyCredential && navigator.credentials);

  const bytes = (text) => {
    const plain = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(plain), (sign) => sign.charCodeAt(0));
  };
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  async function answer(what, options) {
    options.challenge = bytes(options.challenge);
    if (what === "add") {
      options.user.id = bytes(options.user.id);
      options.excludeCredentials = named(options.excludeCredentials);
      return navigator.credentials.create({ publicKey: options });
    }
    options.allowCredentials = named(options.allowCredentials);
    return navigator.credentials.get({ publicKey: options });
  }

  function told(key) {
    const given = key.response;
    const response = { clientDataJSON: text(given.clientDataJSON) };
    if (given.attestationObject) {
      response.attestationObject = text(given.attestationObject);
      response.transports = given.getTransports ? given.getTransports() : [];
    } else {
      response.authenticatorData = text(given.authenticatorData);
      response.signature = text(given.signature);
      if (given.userHandle) response.userHandle = text(given.userHandle);
    }
    return JSON.stringify({ id: key.id, rawId: text(key.rawId), type: key.type, response });
  }

  function say(form, words) {
    const line = form.querySelector("[role=alert]");
    line.textContent = words;
    line.hidden = !words;
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!able || !form.matches("form[data-passkey]") || form.elements.answer.value) return;
    event.preventDefault();
    if (form.dataset.asking) return;
    form.dataset.asking = "yes";
    say(form, "");
    try {
      const asked = await fetch(form.dataset.options, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        redirect: "error",
      });
      const options = await asked.json();
      if (!asked.ok) throw new Error(options.fault);
      form.elements.answer.value = told(await answer(form.dataset.passkey, options));
      form.requestSubmit(event.submitter);
    } catch (fault) {
      const ours = fault.constructor === Error && fault.message;
      say(form, ours || "No passkey answered. Try again, or use another way.");
      form.elements.answer.value = "";
    } finally {
      delete form.dataset.asking;
    }
  });

  // Where a page comes back from the browser's memory, an old answer must not be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-passkey]")) {
      form.elements.answer.value = "";
      if (able) form.hidden = false;
    }
  });
})();
