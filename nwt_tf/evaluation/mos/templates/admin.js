"use strict";
let secret = "";
const admin = (method, path) => ask(method, `api/admin/${path}`, undefined, secret);
const row = (...cells) => element("tr", {}, ...cells.map((cell) => cell instanceof Node ? element("td", {}, cell)
  : element("td", { textContent: cell, className: typeof cell === "number" ? "number" : "" })));

async function refresh() {
  try {
    const progress = await admin("GET", "progress");
    $("experiments").replaceChildren(...progress.experiments.map((e) => row(e.name, e.raters, e.samples, e.ratings, e.fewest, e.most, e.done)));
    $("goal").textContent = `A sample is done at ${progress.target} ratings; finished tasks count.`;
    $("raters").replaceChildren(...progress.raters.map((r) => row(
      r.id, r.worker, r.experiment, new Date(1000 * r.joined).toLocaleString(), r.tasks, eraser(r.id))));
    $("enter").hidden = true;
    $("inside").hidden = false;
    say("");
  } catch (error) { say(error.message, true); }
}

/** A button that erases on its second click. */
function eraser(rater) {
  const button = element("button", { type: "button", className: "danger", textContent: "Erase …" });
  button.onclick = async () => {
    if (button.textContent === "Erase …") return void (button.textContent = "Really erase");
    try { await admin("DELETE", `raters/${rater}`); } catch (error) { return say(error.message, true); }
    refresh();
  };
  return button;
}

$("enter").onsubmit = (event) => {
  event.preventDefault();
  secret = $("token").value.trim();
  refresh();
};
$("refresh").onclick = refresh;
$("ratings").onclick = async () => {
  try { download("ratings.csv", await admin("GET", "ratings.csv"), "text/csv"); } catch (error) { say(error.message, true); }
};
