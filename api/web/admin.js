// What is where: spaces, doorways, DPUs and their installations, and what could not be stored.

import { ask, path, tell } from "./api.js";
import { h, setText } from "./element.js";
import { askFor, confirm } from "./form.js";
import { complain, openFrame } from "./frame.js";
import { fragment, isAdmin, loginPath, replaceFragment } from "./session.js";
import { texts } from "./texts.js";
import { timeline } from "./timeline.js";

const words = texts.admin;
const PAGE = 50;
const SUGGESTED = 1000;

// --- what there is: a table a kind

const utc = (text) =>
	text === null ? words.now : text.slice(0, 19).replace("T", " ").replace(/:00$/, "");
const suggest = (list) => async () =>
	(await ask(list, { limit: SUGGESTED })).items.map((item) => item.id);
const timezones = async () => Intl.supportedValuesOf("timeZone");
const historyLink = (id) => h("a", { href: path`/history/${id}` }, id);

const ID = { member: "id", required: true };
const NAME = { member: "name" };
const DPU = { member: "dpu", required: true, suggestions: suggest("/dpus") };
const DOORWAY = { member: "doorway", required: true, suggestions: suggest("/doorways") };
const ORIENTATION = {
	member: "orientation",
	kind: "choice-number",
	choices: { 1: words.orientation[1], "-1": words.orientation[-1] },
};
const AT = { member: "at" };

const KINDS = {
	spaces: {
		list: "/spaces",
		one: (id) => path`/spaces/${id}`,
		fields: [
			ID,
			NAME,
			{ member: "timezone", suggestions: timezones },
			{ member: "parent", suggestions: suggest("/spaces") },
			{ member: "capacity", kind: "number" },
			{ member: "daily_reset" },
		],
		columns: ["id", "name", "timezone", "parent", "capacity", "daily_reset", "count"],
		cells: { id: (item) => historyLink(item.id), count: (item) => texts.number(item.count) },
		actions: [["reset", resetCount]],
		filters: ["id"],
	},
	doorways: {
		list: "/doorways",
		one: (id) => path`/doorways/${id}`,
		fields: [
			ID,
			NAME,
			{ member: "space", required: true, suggestions: suggest("/spaces") },
			{ member: "adjacent_space", suggestions: suggest("/spaces") },
		],
		columns: ["id", "name", "space", "adjacent_space"],
		cells: { adjacent_space: (item) => item.adjacent_space ?? words.outside },
		actions: [["history", (item) => open("installations", { doorway: item.id })]],
		filters: ["id"],
	},
	dpus: {
		list: "/dpus",
		one: (id) => path`/dpus/${id}`,
		fields: [ID, NAME],
		columns: ["id", "name", "online", "doorway"],
		cells: { online: (item) => words.online[item.online] },
		actions: [
			["move", moveDpu],
			["history", (item) => open("installations", { dpu: item.id })],
		],
		filters: ["id"],
	},
	installations: {
		list: "/installations",
		one: (id) => path`/installations/${id}`,
		fields: [
			DPU,
			DOORWAY,
			{ member: "started_at", required: true },
			{ member: "ended_at" },
			ORIENTATION,
		],
		columns: ["dpu", "doorway", "started_at", "ended_at", "orientation"],
		cells: {
			started_at: (item) => utc(item.started_at),
			ended_at: (item) => utc(item.ended_at),
			orientation: (item) => words.orientation[item.orientation],
		},
		titleOf: (item) => words.installation(item.id),
		filters: ["dpu", "doorway"],
		picture: installationsPicture,
	},
	rejected: {
		list: "/rejected-events",
		one: (id) => path`/rejected-events/${id}`,
		columns: ["last_received_time", "reason", "dpu", "item", "times"],
		cells: {
			last_received_time: (item) => utc(item.last_received_time),
			reason: (item) => words.reasons[item.reason] ?? item.reason,
			item: (item) => h("code", null, item.item.slice(0, 200)),
			times: (item) => texts.number(item.times),
		},
		titleOf: (item) => words.rejectedOne(item.id),
		filters: ["reason", "dpu"],
		tools: rejectedTools,
	},
};

// --- the page

const frame = await openFrame(words.title);
const state = { kind: "spaces", filters: {}, cursor: null, lanes: "doorway" };
const tabs = new Map(Object.keys(KINDS).map((kind) => [kind, tab(kind)]));
const bar = h("div", { class: "filters" });
const picture = h("div");
const table = h("div", { class: "table", role: "tabpanel", tabindex: "-1" });
const done = h("p", { class: "done", role: "status" });
const pager = makePager();

function tab(kind) {
	const choose = () => open(kind);
	return h(
		"button",
		{ role: "tab", id: `tab-${kind}`, onclick: choose, onkeydown: tabKey },
		words.tabs[kind],
	);
}

function tabKey(event) {
	const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
	if (step === undefined) return;
	const all = [...tabs.values()];
	const next = all[(all.indexOf(event.currentTarget) + step + all.length) % all.length];
	next.focus();
	next.click();
}

function makePager() {
	const first = h("button", { onclick: () => show(null) }, words.first);
	const next = h("button", null, words.next);
	next.addEventListener("click", () => show(next.value));
	return { element: h("nav", { class: "pager" }, first, next), first, next };
}

function fillPage() {
	frame.main.append(
		h(
			"div",
			{ class: "title" },
			h("h1", null, words.title),
			h("p", { class: "hint" }, words.utc),
		),
		h("div", { class: "tabs", role: "tablist" }, ...tabs.values()),
		bar,
		done,
		picture,
		table,
		pager.element,
	);
}

// --- one kind

function open(kind, filters = {}) {
	Object.assign(state, { kind, filters, cursor: null });
	setText(done, "");
	for (const [name, element] of tabs) {
		element.setAttribute("aria-selected", String(name === kind));
		element.tabIndex = name === kind ? 0 : -1;
	}
	table.setAttribute("aria-labelledby", `tab-${kind}`);
	fillBar();
	return show(null);
}

function filterField(member) {
	const value = state.filters[member] ?? "";
	const choices = { "": words.anyReason, ...words.reasons };
	const options = Object.entries(choices).map(([key, text]) =>
		h("option", { value: key, selected: key === value }, text),
	);
	const input =
		member === "reason"
			? h("select", { name: member }, options)
			: h("input", { name: member, value, autocomplete: "off" });
	input.addEventListener("change", () => input.form.requestSubmit());
	return h("label", null, words.members[member], input);
}

function fillBar() {
	const kind = KINDS[state.kind];
	const find = (event) => {
		event.preventDefault();
		state.filters = Object.fromEntries(
			[...new FormData(event.target)].filter(([, value]) => value !== ""),
		);
		show(null);
	};
	const add = kind.fields
		? h("button", { class: "primary", type: "button", onclick: addOne }, words.add[state.kind])
		: null;
	const form = h(
		"form",
		{ class: "days", onsubmit: find },
		kind.filters.map(filterField),
		h("button", null, words.find),
	);
	bar.replaceChildren(form, h("div", { class: "tools" }, kind.tools?.() ?? null, add));
}

// A list is asked for page by page; what has an id of its own is found by it.
async function read(cursor) {
	const kind = KINDS[state.kind];
	const { id, ...filters } = state.filters;
	if (id === undefined) return ask(kind.list, { ...filters, limit: PAGE, cursor });
	try {
		return { items: [await ask(kind.one(id))], next: null };
	} catch (problem) {
		if (problem.status === 404) return { items: [], next: null };
		throw problem;
	}
}

async function show(cursor) {
	state.cursor = cursor;
	replaceFragment({ show: state.kind, ...state.filters });
	const asked = state.kind;
	try {
		const { items, next } = await read(cursor);
		if (asked !== state.kind) return;
		fillTable(items);
		picture.replaceChildren(KINDS[asked].picture?.(items) ?? "");
		pager.first.disabled = cursor === null;
		pager.next.disabled = next === null;
		pager.next.value = next ?? "";
		pager.element.hidden = cursor === null && next === null;
		complain(frame, null);
	} catch (problem) {
		complain(frame, problem);
	}
}

const titleOf = (item) => KINDS[state.kind].titleOf?.(item) ?? item.id;

function cell(kind, member, item) {
	const content = kind.cells?.[member]?.(item) ?? item[member] ?? "";
	return h("td", { "data-label": words.members[member], "data-member": member }, content);
}

function actionsOf(kind, item) {
	const change = kind.fields ? [["change", changeOne]] : [];
	const all = [...(kind.actions ?? []), ...change, ["remove", removeOne]];
	return all.map(([name, act]) => {
		const label = words.of(words.actions[name], titleOf(item));
		return h(
			"button",
			{ class: "quiet", "aria-label": label, onclick: () => act(item) },
			words.actions[name],
		);
	});
}

function fillTable(items) {
	const kind = KINDS[state.kind];
	if (items.length === 0) {
		table.replaceChildren(h("p", { class: "nothing" }, words.empty));
		return;
	}
	const head = kind.columns.map((member) =>
		h("th", { scope: "col", "data-member": member }, words.members[member]),
	);
	const rows = items.map((item) =>
		h(
			"tr",
			null,
			kind.columns.map((member) => cell(kind, member, item)),
			h("td", { class: "actions" }, actionsOf(kind, item)),
		),
	);
	table.replaceChildren(
		h("table", null, h("thead", null, h("tr", null, head, h("td"))), h("tbody", null, rows)),
	);
}

function installationsPicture(items) {
	if (items.length === 0) return null;
	const redraw = (by) => {
		state.lanes = by;
		picture.replaceChildren(installationsPicture(items));
	};
	const buttons = Object.entries(words.lanesBy).map(([by, text]) =>
		h(
			"button",
			{ "aria-pressed": String(by === state.lanes), onclick: () => redraw(by) },
			text,
		),
	);
	return h(
		"div",
		null,
		h("div", { class: "tools", role: "group", "aria-label": words.lanes }, buttons),
		timeline(items, state.lanes),
	);
}

// --- changes

async function succeed(text) {
	await show(state.cursor);
	setText(done, text);
}

function addOne() {
	const { list, fields } = KINDS[state.kind];
	askFor(words.add[state.kind], fields, null, async (body) => {
		const made = await tell("POST", list, body);
		await succeed(words.done.added(titleOf(made)));
	});
}

function changeOne(item) {
	const { one, fields } = KINDS[state.kind];
	const changeable = fields.filter((field) => field !== ID);
	askFor(words.change(titleOf(item)), changeable, item, async (body) => {
		await tell("PATCH", one(item.id), body);
		await succeed(words.done.changed(titleOf(item)));
	});
}

function removeOne(item) {
	const { kind } = state;
	confirm(words.remove(titleOf(item)), words.removeWhy[kind], words.actions.remove, async () => {
		await tell("DELETE", KINDS[kind].one(item.id));
		await succeed(words.done.removed(titleOf(item)));
	});
}

function resetCount(item) {
	const fields = [{ member: "count", kind: "number", required: true }, AT];
	askFor(words.reset(item.id), fields, null, async (body) => {
		await tell("POST", path`/spaces/${item.id}/resets`, body);
		await succeed(words.resetDone(item.id, body.count));
	});
}

function moveDpu(item) {
	askFor(words.move(item.id), [DOORWAY, AT, ORIENTATION], null, async (body) => {
		const begun = await tell("POST", path`/dpus/${item.id}/move`, body);
		await succeed(words.moveDone(item.id, begun.doorway));
	});
}

function rejectedTools() {
	const replay = async () => {
		try {
			await succeed(
				words.tally(await tell("POST", "/rejected-events/replay", state.filters)),
			);
		} catch (problem) {
			complain(frame, problem);
		}
	};
	const removeAll = () =>
		confirm(
			words.remove(words.rejectedListed),
			words.removeWhy.allRejected,
			words.actions.remove,
			async () => {
				const filters = new URLSearchParams(state.filters).toString();
				const tally = await tell(
					"DELETE",
					`/rejected-events${filters ? `?${filters}` : ""}`,
				);
				state.cursor = null;
				await succeed(words.tally(tally));
			},
		);
	return [
		h("button", { onclick: replay }, words.replayAll),
		h("button", { onclick: removeAll }, words.removeAll),
	];
}

// --- begin

function begin() {
	const { show: kind, ...filters } = Object.fromEntries(fragment());
	fillPage();
	open(Object.hasOwn(KINDS, kind ?? "") ? kind : "spaces", kind ? filters : {});
}

if (frame.session !== null && isAdmin(frame.session)) begin();
else
	frame.main.append(
		h(
			"div",
			{ class: "panel" },
			h("h1", null, words.title),
			h("p", null, words.needed),
			h("p", null, h("a", { href: loginPath() }, texts.pages.login)),
		),
	);
