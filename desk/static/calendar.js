// Drag a message to another day: this only leads to the page that says what moving it does, the
// same that its Move link opens. Without this script nothing is lost.
(() => {
  let dragged = "";
  const dayUnder = (at) => dragged && at.closest("[data-day]");
  const unmark = () => document.querySelectorAll(".over").forEach((day) => day.classList.remove("over"));

  document.addEventListener("dragstart", (event) => {
    const entry = event.target.closest?.("[data-move]");
    dragged = entry ? entry.dataset.move : "";
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged);
  });
  document.addEventListener("dragover", (event) => {
    const day = dayUnder(event.target);
    if (!day) return;
    event.preventDefault(); // it may be dropped here
    unmark();
    day.classList.add("over");
  });
  document.addEventListener("drop", (event) => {
    const day = dayUnder(event.target);
    if (!day) return;
    event.preventDefault();
    location.assign(`${dragged}?day=${encodeURIComponent(day.dataset.day)}`);
  });
  document.addEventListener("dragend", () => {
    dragged = "";
    unmark();
  });
})();
