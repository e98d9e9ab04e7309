// Renews what is shown by what the server renders now: one rendering, whether with JavaScript or without.
function refreshEvery(milliseconds) {
  const silent = document.getElementById("silent");
  let lastAnswer = new Date();

  async function refresh() {
    try {
      const answer = await fetch("/status", {
        headers: {Accept: "text/html"}, cache: "no-store", signal: AbortSignal.timeout(5000),
      });
      if (!answer.ok) throw new Error(answer.status);
      const renewed = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.getElementById("status").replaceWith(document.adoptNode(renewed.getElementById("status")));
      document.title = renewed.title;
      lastAnswer = new Date();
      silent.hidden = true;
    } catch {
      silent.textContent = `The daemon has not answered since ${lastAnswer.toLocaleTimeString()}: what follows is old.`;
      silent.hidden = false;
      document.title = "no answer · XNovu";
    }
    document.body.classList.toggle("stale", !silent.hidden);
  }

  async function loop() {
    if (!document.hidden && document.getSelection().isCollapsed) await refresh();
    setTimeout(loop, milliseconds);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  setTimeout(loop, milliseconds);
}
