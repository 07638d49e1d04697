// Tabs as WAI-ARIA describes them: arrow keys, Home and End move and select; one tab is in the order of Tab.
// The open tab is kept in the address, so that a reload comes back to it.

export function tabs(list, opened) {
  const all = [...list.querySelectorAll('[role="tab"]')];
  const panel = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function select(tab) {
    for (const each of all) {
      const on = each === tab;
      each.setAttribute("aria-selected", String(on));
      each.tabIndex = on ? 0 : -1;
      panel(each).hidden = !on;
    }
    const name = panel(tab).id;
    // Not location.hash: it would scroll to the panel and fill the history.
    history.replaceState(null, "", `#${name}`);
    opened(name);
  }

  list.addEventListener("click", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) select(tab);
  });
  list.addEventListener("keydown", (event) => {
    const at = all.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const tab = all[(to + all.length) % all.length];
    tab.focus();
    select(tab);
  });
  addEventListener("hashchange", () => select(named() ?? all[0]));

  const named = () => all.find((tab) => `#${panel(tab).id}` === location.hash);
  select(named() ?? all[0]);
}
