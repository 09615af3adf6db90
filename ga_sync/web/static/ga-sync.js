/* What the pages can do better with a script; every one of them works without it.

   [data-live="/address"]  refreshes itself from there, every second, for as long as the new part is live, too
   form[data-swap="id"]    is asked in the background; the parts of those ids are exchanged, the address stays shareable
   [data-typed]            a field whose form is asked while somebody types
*/
"use strict";
(() => {
  const EVERY = 1000, PAUSE = 250;
  let turn = 0;

  const fetched = async (url) => {
    const answer = await fetch(url, {credentials: "same-origin"});
    if (!answer.ok) throw new Error(String(answer.status));
    return {url: answer.url, page: new DOMParser().parseFromString(await answer.text(), "text/html")};
  };

  const live = async () => {
    const part = document.querySelector("[data-live]");
    if (!part) return;
    try {
      const fresh = (await fetched(part.dataset.live)).page.getElementById(part.id);
      if (!fresh) { location.reload(); return; }
      part.replaceWith(document.adoptNode(fresh));
      const told = document.getElementById("live-status");
      if (told && told.textContent !== fresh.dataset.status) told.textContent = fresh.dataset.status;
      if (!fresh.dataset.live) { location.reload(); return; }
    } catch { /* the next turn tries again */ }
    setTimeout(live, EVERY);
  };

  const exchange = (page, ids) => {
    const at = document.activeElement && document.activeElement.id;
    for (const id of ids) {
      const old = document.getElementById(id), fresh = page.getElementById(id);
      if (old && fresh) old.replaceWith(document.adoptNode(fresh));
    }
    if (at && document.getElementById(at)) document.getElementById(at).focus();
  };

  const ask = async (form, button) => {
    const mine = ++turn;
    const data = new URLSearchParams(new FormData(form));
    if (button && button.name) data.append(button.name, button.value);
    const address = `${form.getAttribute("action")}?${data}`;
    try {
      const {url, page} = await fetched(address);
      if (mine !== turn) return;
      exchange(page, form.dataset.swap.split(" "));
      history.replaceState(null, "", url);
    } catch { location.assign(address); }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (!form.dataset.swap || (button && button.hasAttribute("formaction"))) return;
    event.preventDefault();
    ask(form, button);
  });

  let waiting;
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || !form.dataset.swap || !event.target.hasAttribute("data-typed")) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => ask(form), PAUSE);
  });

  setTimeout(live, EVERY);
})();
