// A display for the wall: how many people, readable from ten metres, and whether there is room. Meant to run for weeks
// without anybody touching it.

import { ask, path } from "./api.js";
import { h, onceAFrame, setText } from "./element.js";
import { Live } from "./live.js";
import { takeTokenOfLink } from "./session.js";
import { texts } from "./texts.js";
import { show } from "./zone.js";

const ALMOST_FULL = 0.9;
const FULL = 1;
const MODES = [
	{ from: FULL, mode: "wait", text: texts.display.wait },
	{ from: ALMOST_FULL, mode: "almost", text: texts.display.almostFull },
	{ from: 0, mode: "welcome", text: texts.display.welcome },
];
const CLOCK_MS = 1_000;
const AGAIN_MS = 30_000; // a link's token that could not be given to the server is tried again

const id = decodeURIComponent(location.pathname.split("/")[2]);
const parts = {
	name: h("h1"),
	clock: h("time"),
	count: h("p", { class: "number" }),
	verdict: h("p", { class: "verdict", role: "status" }),
	free: h("p", { class: "room" }),
	fill: h("span", { class: "fill" }),
	notice: h("p", { class: "display-notice", role: "status" }),
};
const gauge = h("div", { class: "gauge" }, parts.fill);
let space = null;
let freshness = { fresh: false, since: null, problem: null };

document.body.append(
	h("header", null, parts.name, parts.clock),
	h("main", null, parts.count),
	h("footer", null, h("div", { class: "words" }, parts.verdict, parts.free), gauge, parts.notice),
);

// --- painting

function paintCount() {
	const { mode, text } = MODES.find(({ from }) => (space.utilization ?? 0) >= from);
	const count = texts.number(space.count);
	const room = space.capacity === null ? null : space.capacity - space.count;
	document.body.dataset.mode = mode;
	document.body.style.setProperty("--digits", count.length);
	document.title = `${count} – ${space.name || space.id}`;
	setText(parts.name, space.name || space.id);
	setText(parts.count, count);
	setText(parts.verdict, space.capacity === null ? "" : text);
	setText(
		parts.free,
		room === null
			? ""
			: room > 0
				? texts.display.free(room)
				: texts.display.capacity(space.capacity),
	);
	parts.fill.style.width = `${Math.min(space.utilization ?? 0, 1) * 100}%`;
	gauge.hidden = space.capacity === null;
}

function paintFreshness() {
	const { fresh, since, problem } = freshness;
	const zone = space?.timezone;
	document.body.classList.toggle("stale", !fresh);
	if (fresh) setText(parts.notice, "");
	else if (problem) setText(parts.notice, problem.message);
	else
		setText(
			parts.notice,
			since === null
				? texts.display.connecting
				: texts.display.stale(show(since, zone, "dateTime")),
		);
}

const paint = onceAFrame(() => {
	if (space !== null) paintCount();
	paintFreshness();
});

function tick() {
	if (space !== null) setText(parts.clock, show(Date.now(), space.timezone, "time"));
}

// --- the stream

const live = new Live([id], {
	state(state) {
		space = state;
		paint();
	},
	removed() {
		space = null;
		setText(parts.count, "");
		setText(parts.verdict, texts.display.gone);
		setText(parts.free, "");
		gauge.hidden = true;
	},
	freshness(news) {
		freshness = news;
		paint();
	},
});

// --- the screen

let lock = null;

async function keepAwake() {
	if (document.hidden || lock?.released === false || !navigator.wakeLock) return;
	try {
		lock = await navigator.wakeLock.request("screen");
	} catch {
		lock = null; // a battery that runs low, or a browser that won't: the number stands all the same
	}
}

async function begin() {
	try {
		await takeTokenOfLink();
		space ??= await ask(path`/spaces/${id}`);
	} catch (problem) {
		freshness = { fresh: false, since: null, problem };
		if (problem.passing) setTimeout(begin, AGAIN_MS);
	}
	paint();
	live.start();
}

document.addEventListener("visibilitychange", keepAwake);
setInterval(tick, CLOCK_MS);
keepAwake();
await begin();
tick();
