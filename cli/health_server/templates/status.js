// What finds an element again that was taken away; nothing for one that is not renewed.
function placeOf(element) {
  if (!element?.closest("#status")) return null;
  const link = element.getAttribute("href");
  if (element.id) return "#" + CSS.escape(element.id);
  return link === null ? null : `#status a[href='${CSS.escape(link)}']`;
}

// Whether details are open is for the reader to say.
const isReaders = (element, name) => name === "open" && element.nodeName === "DETAILS";

// Makes `shown` what `wanted` is and touches only what differs: what is read, focused, open or scrolled to stays.
function renew(shown, wanted) {
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    if (shown.nodeValue !== wanted.nodeValue) shown.nodeValue = wanted.nodeValue;
    return;
  }
  for (const {name} of [...shown.attributes]) {
    if (!wanted.hasAttribute(name) && !isReaders(shown, name)) shown.removeAttribute(name);
  }
  for (const {name, value} of wanted.attributes) {
    if (shown.getAttribute(name) !== value && !isReaders(shown, name)) shown.setAttribute(name, value);
  }
  const named = new Map([...shown.children].filter(child => child.id).map(child => [child.id, child]));
  let place = shown.firstChild;
  for (const child of [...wanted.childNodes]) {
    const alike = !place?.id && place?.nodeName === child.nodeName ? place : null;
    const same = child.id ? named.get(child.id) : alike;
    if (!same) {
      shown.insertBefore(document.adoptNode(child), place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else shown.insertBefore(same, place);
    renew(same, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// Only what has changed is announced.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Renews what is shown by what the server renders now: one rendering, whether with JavaScript or without.
function refreshEvery(milliseconds) {
  const silent = document.getElementById("silent");
  let lastAnswer = new Date(), asked = 0;

  function mark(text) {
    say(silent, text);
    silent.hidden = !text;
    document.body.classList.toggle("stale", Boolean(text));
  }

  async function refresh() {
    const question = ++asked;
    try {
      const answer = await fetch("/status" + location.search, {
        headers: {Accept: "text/html"}, cache: "no-store", signal: AbortSignal.timeout(5000),
      });
      if (!answer.ok) throw new Error(answer.status);
      const renewed = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (question !== asked) return;
      const active = document.activeElement, focused = placeOf(active);
      renew(document.getElementById("status"), renewed.getElementById("status"));
      if (focused && document.activeElement !== active) {
        (active.isConnected ? active : document.querySelector(focused))?.focus({preventScroll: true});
      }
      say(document.getElementById("told"), renewed.getElementById("told").textContent);
      document.title = renewed.title;
      lastAnswer = new Date();
      mark("");
    } catch {
      if (question !== asked) return;
      mark(`The daemon has not answered since ${lastAnswer.toLocaleTimeString()}: what follows is old.`);
      document.title = "no answer · XNovu";
    }
  }

  async function loop() {
    if (document.hidden) return setTimeout(loop, milliseconds);
    if (document.getSelection().isCollapsed) await refresh();
    else if (new Date() - lastAnswer > 3 * milliseconds) {
      mark(`While text is selected nothing is renewed: what follows is as of ${lastAnswer.toLocaleTimeString()}.`);
    }
    setTimeout(loop, milliseconds);
  }

  document.addEventListener("input", event => {
    if (event.target.id !== "search") return;
    history.replaceState(null, "", "?" + new URLSearchParams({search: event.target.value}));
    refresh();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  setTimeout(loop, milliseconds);
}
