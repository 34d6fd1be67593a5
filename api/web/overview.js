// All spaces and how many people are in each, live.

import { ask, path } from "./api.js";
import { h, onceAFrame, setText } from "./element.js";
import { complain, openFrame, tellFreshness } from "./frame.js";
import { Live } from "./live.js";
import { fragment, replaceFragment } from "./session.js";
import { Sparklines } from "./sparkline.js";
import { texts } from "./texts.js";
import { HOUR } from "./zone.js";

const PAGE = 50; // rows
const LIST_PAGE = 1000; // spaces a request
const ALMOST_FULL = 0.9;

const spaces = new Map(); // id -> space
const rows = new Map(); // id -> parts of those on the page
const changed = new Set(); // ids to be painted
const sparklines = new Sparklines();
const view = { search: "", sort: "place", page: 1 };

// --- which spaces, in which order

const collator = new Intl.Collator(texts.locale, { numeric: true, sensitivity: "base" });
const nameOf = (space) => space.name || space.id;
const byName = (a, b) => collator.compare(nameOf(a), nameOf(b)) || collator.compare(a.id, b.id);
const ORDERS = {
	place: byName,
	name: byName,
	count: (a, b) => b.count - a.count || byName(a, b),
	full: (a, b) => (b.utilization ?? -1) - (a.utilization ?? -1) || byName(a, b),
};

// The building that a space lies in. The server admits no cycles, but a list that is read page by page may show one.
function topOf(space) {
	const seen = new Set();
	let top = space;
	while (top.parent && spaces.has(top.parent) && !seen.has(top.id)) {
		seen.add(top.id);
		top = spaces.get(top.parent);
	}
	return top;
}

function matches(space) {
	const wanted = view.search.trim().toLowerCase();
	return (
		wanted === "" ||
		space.id.toLowerCase().includes(wanted) ||
		nameOf(space).toLowerCase().includes(wanted)
	);
}

// By place, what lies inside a space follows it, a step to the right.
function asTree(members, top) {
	const inside = Map.groupBy(members, (space) => space.parent);
	const listed = [];
	const list = (id, depth) => {
		for (const space of inside.get(id) ?? []) {
			listed.push({ space, depth });
			list(space.id, depth + 1);
		}
	};
	list(top.id, 0);
	const reached = new Set(listed.map(({ space }) => space.id));
	const others = members.filter((space) => !reached.has(space.id)); // what they lie in doesn't match the search
	return [...listed, ...others.map((space) => ({ space, depth: 0 }))];
}

// All rows: {space, depth, building}; the building itself is the heading of its rows, not one of them.
function listed() {
	const order = ORDERS[view.sort];
	const groups = Map.groupBy(spaces.values(), topOf);
	const isBuilding = (top) => groups.get(top).length > 1;
	const entries = [];
	for (const top of [...groups.keys()].filter(isBuilding).sort(order)) {
		const members = groups
			.get(top)
			.filter((space) => space !== top && (matches(space) || matches(top)));
		members.sort(order);
		const placed =
			view.sort === "place"
				? asTree(members, top)
				: members.map((space) => ({ space, depth: 0 }));
		entries.push(...placed.map((entry) => ({ ...entry, building: top })));
	}
	const alone = [...groups.keys()].filter((top) => !isBuilding(top) && matches(top)).sort(order);
	return [...entries, ...alone.map((space) => ({ space, depth: 0, building: null }))];
}

// --- rows

function fillOf(space) {
	if (space.utilization === null) return "none";
	return space.utilization >= 1 ? "full" : space.utilization >= ALMOST_FULL ? "almost" : "free";
}

function gauge(space) {
	return h(
		"span",
		{ class: "gauge", hidden: space.capacity === null },
		h("span", { class: "fill" }),
	);
}

function partsOf(space) {
	return {
		count: h("span", { class: "count" }),
		capacity: h("span", { class: "capacity" }),
		share: h("span", { class: "share" }),
		gauge: gauge(space),
		health: h("span", { class: "health" }),
		name: h("a", { class: "name", href: path`/history/${space.id}` }),
	};
}

function paint(space, parts) {
	setText(parts.name, nameOf(space));
	setText(parts.count, texts.number(space.count));
	setText(parts.capacity, space.capacity === null ? "" : texts.space.of(space.capacity));
	setText(
		parts.share,
		space.utilization === null ? texts.space.noCapacity : texts.percent(space.utilization),
	);
	parts.gauge.hidden = space.capacity === null;
	parts.gauge.firstChild.style.width = `${Math.min(space.utilization ?? 0, 1) * 100}%`;
	parts.element.dataset.fill = fillOf(space);
	parts.health.dataset.health = space.health;
	parts.health.title = texts.health[space.health];
	setText(parts.health, texts.health[space.health]);
}

function displayLink(space) {
	const label = texts.space.displayOf(nameOf(space));
	return h(
		"a",
		{ class: "to-display", href: path`/display/${space.id}`, "aria-label": label },
		texts.space.display,
	);
}

function row({ space, depth }) {
	const parts = partsOf(space);
	const spark = sparklines.of(space.id, nameOf(space));
	const place = h(
		"span",
		{ class: "place", "data-depth": Math.min(depth, 4) },
		parts.health,
		parts.name,
	);
	const fill = h("span", { class: "fullness" }, parts.gauge, parts.share);
	const people = h("span", { class: "people" }, parts.count, parts.capacity);
	parts.element = h(
		"li",
		{ class: "row", "data-id": space.id },
		place,
		spark,
		fill,
		people,
		displayLink(space),
	);
	remember(space, parts);
	return parts.element;
}

function heading(building) {
	if (building === null)
		return h("header", { class: "building" }, h("h2", null, texts.overview.standalone));
	const parts = partsOf(building);
	const title = h("h2", null, parts.health, parts.name);
	const fill = h("span", { class: "fullness" }, parts.gauge, parts.share);
	const people = h("span", { class: "people" }, parts.count, parts.capacity);
	parts.element = h(
		"header",
		{ class: "building", "data-id": building.id },
		title,
		fill,
		people,
		displayLink(building),
	);
	remember(building, parts);
	return parts.element;
}

function remember(space, parts) {
	rows.set(space.id, parts);
	paint(space, parts);
}

// --- the page

const frame = await openFrame(texts.overview.title);
const controls = makeControls();
const board = h("div", { class: "board" });
const pager = makePager();
frame.main.append(controls.element, board, pager.element);

function makeControls() {
	const search = h("input", {
		type: "search",
		placeholder: texts.overview.searchHint,
		autocomplete: "off",
	});
	const options = Object.entries(texts.overview.sorts).map(([value, text]) =>
		h("option", { value }, text),
	);
	const sort = h("select", null, options);
	const shown = h("output", { class: "shown" });
	search.addEventListener("input", () => turnTo({ search: search.value, page: 1 }));
	sort.addEventListener("change", () => turnTo({ sort: sort.value, page: 1 }));
	const element = h(
		"div",
		{ class: "controls" },
		h("h1", null, texts.overview.title),
		shown,
		h("label", null, texts.overview.search, search),
		h("label", null, texts.overview.sort, sort),
	);
	return { element, search, sort, shown };
}

function makePager() {
	const where = h("span");
	const back = h(
		"button",
		{ onclick: () => turnTo({ page: view.page - 1 }, true) },
		texts.overview.previous,
	);
	const on = h(
		"button",
		{ onclick: () => turnTo({ page: view.page + 1 }, true) },
		texts.overview.next,
	);
	return {
		element: h("nav", { class: "pager", hidden: true }, back, where, on),
		where,
		back,
		on,
	};
}

function turnTo(change, toTop = false) {
	Object.assign(view, change);
	const said = {
		q: view.search,
		sort: view.sort === "place" ? "" : view.sort,
		page: view.page === 1 ? "" : view.page,
	};
	replaceFragment(Object.entries(said).filter(([, value]) => value !== ""));
	render();
	if (toTop) window.scrollTo(0, 0);
}

function sections(entries) {
	return [...Map.groupBy(entries, (entry) => entry.building)].map(([building, members]) =>
		h("section", null, heading(building), h("ul", { class: "rows" }, members.map(row))),
	);
}

function render() {
	const all = listed();
	const pages = Math.max(1, Math.ceil(all.length / PAGE));
	view.page = Math.min(Math.max(1, view.page), pages);
	sparklines.clear();
	rows.clear();
	changed.clear();
	const nothing = h(
		"p",
		{ class: "nothing" },
		spaces.size ? texts.overview.none : texts.overview.empty,
	);
	const entries = all.slice((view.page - 1) * PAGE, view.page * PAGE);
	board.replaceChildren(...(entries.length ? sections(entries) : [nothing]));
	setText(
		controls.shown,
		texts.overview.shown(view.search.trim() ? all.length : spaces.size, spaces.size),
	);
	setText(pager.where, texts.overview.page(view.page, pages));
	pager.element.hidden = pages === 1;
	pager.back.disabled = view.page === 1;
	pager.on.disabled = view.page === pages;
}

const paintChanged = onceAFrame(() => {
	for (const id of changed) paint(spaces.get(id), rows.get(id));
	changed.clear();
});
const renderSoon = onceAFrame(render);

// --- what is known

function update(state) {
	const known = spaces.get(state.id);
	if (known === undefined) {
		readOne(state.id);
	} else {
		Object.assign(known, state);
		if (rows.has(state.id)) changed.add(state.id);
		paintChanged();
	}
}

function remove(id) {
	if (spaces.delete(id)) renderSoon();
}

// The stream does not say what a new space lies in.
async function readOne(id) {
	try {
		take([await ask(path`/spaces/${id}`)]);
	} catch (error) {
		if (error.status !== 404) complain(frame, error);
	}
}

function take(items) {
	for (const { children, ...space } of items) spaces.set(space.id, space);
	renderSoon();
}

// Reads all spaces. Returns a revision from which on every change is still to be told: the newest on the first page.
async function readAll() {
	const ids = new Set();
	let cursor = null;
	let since = null;
	do {
		const page = await ask("/spaces", { limit: LIST_PAGE, cursor });
		since ??= page.items.reduce((newest, space) => Math.max(newest, space.revision), 0);
		page.items.forEach((space) => ids.add(space.id));
		take(page.items);
		cursor = page.next;
	} while (cursor !== null);
	[...spaces.keys()].filter((id) => !ids.has(id)).forEach(remove);
	return since;
}

const live = new Live(null, {
	state: update,
	removed: remove,
	freshness: (freshness) => tellFreshness(frame, board, freshness),
});

let reading = false;

// A page that nobody sees holds no connection: a browser has six of them.
async function follow() {
	live.stop();
	if (document.hidden || reading) return;
	reading = true;
	try {
		const since = await readAll();
		if (!document.hidden) live.start(since);
	} catch (error) {
		complain(frame, error);
		setTimeout(follow, 5_000);
	}
	reading = false;
}

const said = fragment();
Object.assign(view, { search: said.get("q") ?? "", page: Number(said.get("page") ?? 1) || 1 });
view.sort = Object.hasOwn(ORDERS, said.get("sort") ?? "") ? said.get("sort") : "place";
controls.search.value = view.search;
controls.sort.value = view.sort;
document.addEventListener("visibilitychange", follow);
setInterval(follow, HOUR); // what lies in what is in no event
follow();
