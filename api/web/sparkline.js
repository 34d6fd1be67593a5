// The last hour of a space as a small line, fetched only while it can be seen, and a few at a time.

import { ask, path } from "./api.js";
import { svg } from "./element.js";
import { texts } from "./texts.js";
import { HOUR, MINUTE } from "./zone.js";

const WIDTH = 120;
const HEIGHT = 28;
const AT_ONCE = 3; // a browser opens six connections to a server; one is the live stream's
const RENEW_MS = MINUTE;

function steps(buckets) {
	const highest = Math.max(1, ...buckets.map((bucket) => bucket.max));
	const x = (index) => ((index * WIDTH) / buckets.length).toFixed(1);
	const y = (count) => (HEIGHT - 2 - (count / highest) * (HEIGHT - 4)).toFixed(1);
	return buckets.map((bucket, index) => `V${y(bucket.closing)}H${x(index + 1)}`).join("");
}

function draw(element, buckets) {
	const start = `M0 ${HEIGHT - 2}`;
	const line = steps(buckets);
	element.replaceChildren(
		svg("path", { class: "area", d: `${start}${line}V${HEIGHT - 2}Z` }),
		svg("path", { class: "line", d: line.replace(/^V([\d.]+)/, "M0 $1") }),
	);
}

function emptySparkline(name) {
	const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" };
	return svg("svg", {
		class: "spark",
		role: "img",
		"aria-label": texts.space.trendOf(name),
		...box,
	});
}

// Fills the sparklines that are in sight, and renews them.
export class Sparklines {
	constructor() {
		this.spaces = new Map(); // element -> id of its space
		this.before = new Map(); // id -> element, of the rows that were there before
		this.drawnAt = new WeakMap(); // element -> when
		this.visible = new Set();
		this.queue = new Set();
		this.running = 0;
		this.observer = new IntersectionObserver((entries) => this.seen(entries), {
			rootMargin: "100px",
		});
		setInterval(() => this.renew(), RENEW_MS / 4);
	}

	// The sparkline of a space, which is drawn when it comes into sight; the one that it had before clear(), if it had one.
	of(id, name) {
		const element = this.before.get(id) ?? emptySparkline(name);
		this.spaces.set(element, id);
		this.observer.observe(element);
		return element;
	}

	// Other rows follow.
	clear() {
		this.before = new Map([...this.spaces].map(([element, id]) => [id, element]));
		this.observer.disconnect();
		this.spaces.clear();
		this.visible.clear();
		this.queue.clear();
	}

	seen(entries) {
		for (const { target, isIntersecting } of entries) {
			if (isIntersecting) this.visible.add(target);
			else this.visible.delete(target);
		}
		this.renew();
	}

	renew() {
		if (document.hidden) return;
		for (const element of this.visible) {
			if (Date.now() - (this.drawnAt.get(element) ?? 0) > RENEW_MS) this.queue.add(element);
		}
		while (this.running < AT_ONCE && this.queue.size > 0) this.fetchOne();
	}

	async fetchOne() {
		const [element] = this.queue;
		this.queue.delete(element);
		if (!this.visible.has(element)) return;
		this.running++;
		this.drawnAt.set(element, Date.now());
		const start = new Date(Math.floor((Date.now() - HOUR) / MINUTE) * MINUTE).toISOString();
		try {
			const counts = await ask(path`/spaces/${this.spaces.get(element)}/counts`, {
				start,
				interval: "2m",
			});
			draw(element, counts.buckets);
		} catch {
			element.replaceChildren(); // no trend is better than a wrong one; the notice says what is wrong
		}
		this.running--;
		this.renew();
	}
}
