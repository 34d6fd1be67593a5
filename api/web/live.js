// The changes of spaces as they happen (GET /live), for as long as the page is open: reconnects by itself, and knows
// when what it said last can't be trusted any more.
//
// A state is told in the order in which the states came to be, so the last word counts, even if its revision is lower than one
// before: then the server has begun anew with another database.
//
// Read with fetch, because EventSource hides the comments that the server sends when nothing changes: without them
// a dead connection looks like an empty room.

import { failingChecks, listen, Problem } from "./api.js";

const SILENCE_MS = 35_000; // the server says something every 15 s: two missed, and some patience
const GRACE_MS = 5_000; // a stream that ends, as each does after an hour, may begin anew so fast that nobody notices
const WAITS_MS = [500, 1_000, 2_000, 5_000, 10_000]; // before the next try; the last one from then on
const WATCH_MS = 1_000;
const CHECK_MS = 20_000; // is the server up to date? Asked so often while it is …
const RECHECK_MS = 2_000; // … and while it isn't
const LONGEST_EVENT = 1 << 20; // characters; beyond it is no stream of ours

export class Live {
	// `handlers`: state(space), removed(id), freshness({fresh, since, problem}): `since` is the time of the last word.
	constructor(spaces, handlers) {
		this.spaces = spaces;
		this.handlers = handlers;
		this.wake = () => this.resume?.();
		this.leave = () => this.rest();
		this.turn = null; // of the loop that follows the stream; another one ends the one before
	}

	// From the state that revision `since` was; without it, from the present state of every space.
	start(since = null) {
		this.stop();
		this.lastId = since;
		this.failures = 0;
		this.lastWord = null;
		this.endedAt = Date.now();
		this.connected = false;
		this.behind = false;
		this.nextCheck = 0;
		this.said = null;
		this.problem = null;
		window.addEventListener("online", this.wake);
		window.addEventListener("pagehide", this.leave);
		this.timer = setInterval(() => this.watch(), WATCH_MS);
		this.turn = {};
		this.run(this.turn);
	}

	stop() {
		this.turn = null;
		window.removeEventListener("online", this.wake);
		window.removeEventListener("pagehide", this.leave);
		clearInterval(this.timer);
		this.controller?.abort();
		this.wake();
	}

	// A page that was left may be kept, with its connection, for whom goes back: six such pages, and the browser opens no
	// other. So it is closed, and opened again if somebody does go back.
	rest() {
		const { lastId } = this;
		this.stop();
		window.addEventListener("pageshow", () => this.start(lastId), { once: true });
	}

	async run(turn) {
		while (this.turn === turn) {
			let problem = null;
			try {
				await this.follow();
			} catch (error) {
				problem = error instanceof Problem && error.status > 0 ? error : null;
			}
			if (this.turn !== turn) return;
			this.problem = problem;
			this.connected = false;
			this.endedAt = Date.now();
			await this.pause();
		}
	}

	pause() {
		const wait = WAITS_MS[Math.min(this.failures++, WAITS_MS.length - 1)];
		return new Promise((resolve) => {
			const timer = setTimeout(resolve, wait * (0.75 + Math.random() / 2));
			this.resume = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	}

	async follow() {
		this.controller = new AbortController();
		this.askedAt = Date.now();
		const headers = { Accept: "text/event-stream" };
		if (this.lastId !== null) headers["Last-Event-ID"] = this.lastId;
		const space = this.spaces?.join(",");
		const body = await listen("/live", { space }, headers, this.controller.signal);
		const reader = body.pipeThrough(new TextDecoderStream()).getReader();
		let rest = "";
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			this.hear();
			rest = this.take(rest + value);
		}
	}

	hear() {
		this.lastWord = Date.now();
		this.connected = true;
		this.failures = 0;
		this.problem = null;
		if (!this.said?.fresh) this.watch();
	}

	take(text) {
		const blocks = text.split("\n\n");
		const rest = blocks.pop();
		if (rest.length > LONGEST_EVENT) throw new Error("a stream without events");
		for (const block of blocks) this.handle(block);
		return rest;
	}

	handle(block) {
		const fields = {};
		for (const line of block.split("\n")) {
			const colon = line.indexOf(":");
			if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
		}
		if (fields.data === undefined) return;
		this.lastId = fields.id ?? this.lastId;
		const data = JSON.parse(fields.data);
		if (fields.event === "removed") this.handlers.removed(data.id);
		else this.handlers.state(data);
	}

	watch() {
		const now = Date.now();
		const silentSince = this.connected ? this.lastWord : this.askedAt;
		if (now - silentSince > SILENCE_MS) this.controller?.abort();
		if (now >= this.nextCheck) this.check(now);
		const current = this.connected
			? now - this.lastWord < SILENCE_MS
			: now - this.endedAt < GRACE_MS;
		this.say(this.lastWord !== null && current && !this.behind);
	}

	// The stream itself does not tell that the gateway is away and crossings wait.
	async check(now) {
		this.nextCheck = now + (this.behind ? RECHECK_MS : CHECK_MS);
		try {
			const failing = await failingChecks();
			this.behind = ["gateway", "broker", "database"].some((name) => failing.includes(name));
			if (!this.behind) this.upToDate = now;
		} catch {
			return; // the stream's own silence speaks for that
		}
		if (this.behind) this.nextCheck = now + RECHECK_MS;
	}

	say(fresh) {
		if (this.said !== null && this.said.fresh === fresh && this.said.problem === this.problem)
			return;
		const since = this.behind ? (this.upToDate ?? null) : this.lastWord;
		this.said = { fresh, since, problem: this.problem };
		this.handlers.freshness(this.said);
	}
}
