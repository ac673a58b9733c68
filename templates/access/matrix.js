"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const controls = { situation: byId("situation"), principal: byId("principal"), capability: byId("capability"), granted: byId("granted") };
  const sections = [...document.querySelectorAll("section[data-situation]")];
  const dialog = byId("detail");
  const shown = (element) => !element.hidden;
  let current = null;

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const filter = () => {
    const wanted = (input) => input.value.trim().toLowerCase();
    const principal = wanted(controls.principal), capability = wanted(controls.capability);
    let rows = 0, columns = 0;
    for (const section of sections) {
      section.hidden = controls.situation.value !== "" && section.dataset.situation !== controls.situation.value;
      if (section.hidden) continue;
      columns = 0;
      for (const head of section.querySelectorAll("thead [data-principal]")) {
        head.hidden = !head.dataset.principal.toLowerCase().includes(principal);
        columns += head.hidden ? 0 : 1;
      }
      let left = 0;
      for (const row of section.querySelectorAll("tbody tr")) {
        let granted = false;
        for (const cell of row.querySelectorAll("td")) {
          cell.hidden = !cell.dataset.principal.toLowerCase().includes(principal);
          granted ||= !cell.hidden && (cell.className === "all" || cell.className === "some");
        }
        row.hidden = !row.dataset.capability.toLowerCase().includes(capability) || (controls.granted.checked && !granted);
        left += row.hidden ? 0 : 1;
      }
      const isEmpty = left === 0 || columns === 0;
      section.querySelector(".empty").hidden = !isEmpty;
      section.querySelector(".scroll").hidden = isEmpty;
      rows += isEmpty ? 0 : left;
      makeReachable(section);
    }
    byId("shown").textContent = `${rows} rows of ${columns} principals`;
  };

  // One cell of each table is in the order of the Tab key; arrows move from there.
  const makeReachable = (section) => {
    const buttons = [...section.querySelectorAll("td button")];
    const first = buttons.find((one) => shown(one.parentElement) && shown(one.closest("tr")));
    for (const one of buttons) one.tabIndex = -1;
    const kept = current && section.contains(current) && shown(current.parentElement) && shown(current.closest("tr"));
    const reachable = kept ? current : first;
    if (reachable) reachable.tabIndex = 0;
  };

  const focusOn = (button) => {
    if (!button) return;
    current = button;
    makeReachable(button.closest("section"));
    button.focus();
    // What sticks to the top and left would cover it.
    const scroll = button.closest(".scroll"), cell = button.getBoundingClientRect(), frame = scroll.getBoundingClientRect();
    const corner = scroll.querySelector(".corner").getBoundingClientRect();
    if (cell.left < frame.left + corner.width) scroll.scrollLeft -= frame.left + corner.width - cell.left;
    if (cell.top < frame.top + corner.height) scroll.scrollTop -= frame.top + corner.height - cell.top;
  };

  const move = (event) => {
    const button = event.target.closest("td button");
    if (!button) return;
    const cells = (row) => [...row.querySelectorAll("td")].filter(shown).map((one) => one.firstElementChild);
    const rows = [...button.closest("tbody").rows].filter(shown);
    const row = rows.indexOf(button.closest("tr")), line = cells(rows[row]), column = line.indexOf(button);
    const places = {
      ArrowRight: () => line[column + 1], ArrowLeft: () => line[column - 1],
      ArrowDown: () => rows[row + 1] && cells(rows[row + 1])[column], ArrowUp: () => rows[row - 1] && cells(rows[row - 1])[column],
      Home: () => (event.ctrlKey ? cells(rows[0])[0] : line[0]), End: () => (event.ctrlKey ? cells(rows.at(-1)).at(-1) : line.at(-1)),
      PageDown: () => cells(rows[Math.min(row + 10, rows.length - 1)])[column], PageUp: () => cells(rows[Math.max(row - 10, 0)])[column],
    };
    if (!(event.key in places)) return;
    event.preventDefault();
    focusOn(places[event.key]());
  };

  const reason = ([outcome, layer, place, count, sample]) => {
    const box = element("div", undefined, "reason");
    const calls = count > 1 ? `${count} calls, such as ` : "";
    if (place === null) {
      box.append(element("strong", "Not allowed"), ` by any statement of ${layer}: ${calls}`, element("code", sample));
      return box;
    }
    const statement = data.statements[place];
    box.classList.add(statement.effect);
    box.append(element("strong", outcome === "Allowed" ? "Allowed" : "Denied"), " by ", element("strong", statement.sid), `, ${layer}: ${calls}`, element("code", sample));
    box.append(element("p", `${statement.policy}, ${statement.place}`, "place"));
    const more = element("details");
    more.append(element("summary", "The statement"), element("pre", statement.text));
    box.append(more);
    return box;
  };

  const requests = (title, labels, open) => {
    const more = element("details");
    more.open = open;
    more.append(element("summary", title));
    const list = element("ul");
    for (const label of labels) {
      const item = element("li");
      item.append(element("code", label));
      list.append(item);
    }
    more.append(list);
    return more;
  };

  const open = (button) => {
    const capability = button.closest("tr").dataset.capability, principal = button.parentElement.dataset.principal;
    const section = button.closest("section"), detail = data.details[Number(button.dataset.detail)];
    const all = data.capabilities[capability], allowed = new Set(detail.allowed);
    const body = byId("detail-body");
    byId("detail-title").textContent = `${principal}, ${capability}, ${section.querySelector("h2").textContent.toLowerCase()}`;
    body.replaceChildren();
    if (detail.asked === 0) {
      body.append(element("p", "This cannot happen: the service answers nothing but HTTPS."));
    } else {
      body.append(element("p", `${detail.allowed.length} of ${detail.asked} requests go through. Asked about the data of: ${detail.teams.join(", ")}.`));
      for (const one of detail.reasons) body.append(reason(one));
      if (detail.asked < all.length) body.append(element("p", `The other ${all.length - detail.asked} cannot happen: their services answer nothing but HTTPS.`));
      const goes = all.filter((_, place) => allowed.has(place)), stays = all.filter((_, place) => !allowed.has(place));
      const labels = (listed) => listed.map((one) => `${one.label} (${one.part})`);
      if (goes.length) body.append(requests(`What goes through (${goes.length})`, labels(goes), false));
      if (stays.length) body.append(requests(`What does not (${stays.length})`, labels(stays), false));
    }
    dialog.showModal();
    dialog.scrollTop = 0;
  };

  for (const section of sections) {
    const table = section.querySelector("table");
    table.addEventListener("keydown", move);
    table.addEventListener("focusin", (event) => { if (event.target.matches("td button")) current = event.target; });
    table.addEventListener("click", (event) => {
      const button = event.target.closest("td button");
      if (!button) return;
      focusOn(button);
      open(button);
    });
  }
  dialog.addEventListener("close", () => focusOn(current));
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  byId("close").addEventListener("click", () => dialog.close());
  const form = document.querySelector(".filters");
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
})();
