// Single keys for practised hands; every one of them presses something that is on the page anyway.
// j and k walk the rows, Enter opens (it is a link), Ctrl-K goes to the search, ? shows the keys.
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
    const what = document.querySelector(`[data-key="${CSS.escape(key)}"]:not(:disabled)`);
    if (!what) return false;
    if (what.matches("input, textarea, select")) what.focus();
    else if (what.matches("details")) {
      what.open = true;
      (what.querySelector("input, textarea, select, button") || what).focus();
    } else what.click();
    return true;
  }

  function show() {
    const list = document.querySelector("#keys dl");
    list.replaceChildren();
    const known = [["j / k", "next and previous row"], ["Ctrl K", "search, or paste an address"], ["?", "these keys"]];
    for (const one of document.querySelectorAll("[data-key]")) {
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

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey) return;
    if (event.ctrlKey) {
      if (event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      const box = document.querySelector("input[name=q]");
      if (box) box.focus();
      else location.assign("/search");
      return;
    }
    if (writing(event.target) && event.key === "Escape") return void event.target.blur();
    if (writing(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "?") return void (event.preventDefault(), show());
    if (off()) return;
    if (event.key === "j") walk(1);
    else if (event.key === "k") walk(-1);
    else if (!press(event.key)) return;
    event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("#keys [name=keys]"))
      localStorage.setItem(OFF, event.target.checked ? "no" : "yes");
  });
})();
