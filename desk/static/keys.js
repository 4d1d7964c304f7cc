// Single keys for practised hands; every one of them presses something that is on the page anyway.
// j and k walk the rows, Enter opens (it is a link), Ctrl-K jumps anywhere, ? shows the keys.
// A person can turn them off (WCAG 2.1.4): this browser remembers it.
(() => {
  const OFF = "breakwater-keys-off";
  const off = () => localStorage.getItem(OFF) === "yes";
  const writing = (at) => at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
  const rows = () => [...document.querySelectorAll("[data-row]")];

  function walk(step) {
    const all = rows();
    const here = all.indexOf(document.activeElement);
    const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step];
    if (next) next.focus();
  }

  function press(key) {
    const wanted = `[data-key="${CSS.escape(key)}"]:not(:disabled)`;
    // In a list whose rows each have the key, the row that has the focus is meant; where pressing
    // the first one by mistake would lead astray (data-in-row), no other.
    const row = document.activeElement.closest("[data-row]")?.closest("li, section");
    const what =
      (row && row.querySelector(wanted)) || document.querySelector(`${wanted}:not([data-in-row])`);
    if (!what) return false;
    if (what.matches("input, textarea, select")) what.focus();
    else if (what.matches("details")) {
      what.open = true;
      (what.querySelector("input, textarea, select, button") || what).focus();
    } else what.click();
    return true;
  }

  // A row that is no link itself opens the one that stands for it.
  function open() {
    const at = document.activeElement;
    const link = at.matches("[data-row]:not(a)") && at.querySelector("a[data-open]");
    if (link) link.click();
    return Boolean(link);
  }

  function show() {
    const list = document.querySelector("#keys dl");
    list.replaceChildren();
    const known = [["j / k", "next and previous row"], ["Ctrl K", "jump to a page, a narrative or a post"], ["?", "these keys"]];
    if (rows().some((row) => row.matches("a") || row.querySelector("a[data-open]")))
      known.splice(1, 0, ["Enter", "open the row"]);
    for (const one of document.querySelectorAll("[data-key]")) {
      if (known.some(([key]) => key === one.dataset.key)) continue; // each row of a list has it
      const name = one.dataset.keyName || one.getAttribute("aria-label") || one.textContent;
      known.push([one.dataset.key, name.trim().replace(/\s+/g, " ")]);
    }
    for (const [key, name] of known) {
      const row = document.createElement("div");
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      dd.textContent = name;
      row.append(dt, dd);
      list.append(row);
    }
    const box = document.querySelector("#keys [name=keys]");
    box.checked = !off();
    document.querySelector("#keys").showModal();
  }

  // The palette is the form of /jump in a dialog: Enter asks the server, which knows what is meant.
  const palette = () => document.querySelector("#jump");

  function jump() {
    if (!palette()) return location.assign("/jump");
    if (!palette().open) palette().showModal();
    const box = palette().querySelector("[name=q]");
    box.focus();
    box.select();
  }

  const places = () => [...palette().querySelectorAll("#places a")].filter((one) => !one.hidden);

  function sift(words) {
    for (const one of palette().querySelectorAll("#places a")) {
      const fits = one.dataset.called.split("|").some((name) => name.includes(words));
      one.hidden = one.parentElement.hidden = !fits;
    }
  }

  function choose(step) {
    const box = palette().querySelector("[name=q]");
    const all = [box, ...places()];
    const here = all.indexOf(document.activeElement);
    (all[(here + step + all.length) % all.length] || box).focus();
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches("#jump [name=q]")) sift(event.target.value.trim().toLowerCase());
  });

  document.addEventListener("keydown", (event) => {
    // On a Mac it is the command key, as in other programs there.
    if ((event.ctrlKey || event.metaKey) && !event.altKey) {
      if (event.key.toLowerCase() !== "k" || event.shiftKey) return;
      event.preventDefault();
      return jump();
    }
    if (event.altKey) return;
    if (palette()?.open && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      return choose(event.key === "ArrowDown" ? 1 : -1);
    }
    if (writing(event.target) && event.key === "Escape") {
      // A search box would keep the first Escape to empty itself, and the palette stay open.
      if (event.target.closest("#jump")) return void palette().close();
      return void event.target.blur();
    }
    if (writing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") return void (event.preventDefault(), show());
    if (off()) return;
    if (event.key === "j") walk(1);
    else if (event.key === "k") walk(-1);
    else if (event.key === "Enter" ? !open() : !press(event.key)) return;
    event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("#keys [name=keys]"))
      localStorage.setItem(OFF, event.target.checked ? "no" : "yes");
  });
})();
