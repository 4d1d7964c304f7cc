// Copies the words of a share pack. Without a script they stand in a box from which one copies them.
document.documentElement.classList.add("copies");
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const box = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(box.value);
  } catch {
    // Without https, or without leave: as one would by hand.
    box.select();
    document.execCommand("copy");
  }
  button.textContent = "Copied";
});
