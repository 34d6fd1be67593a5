// What every page but the wall display has around it: header, navigation, the session, and a place to say what is wrong.

import { h, setText } from "./element.js";
import { currentSession, loginPath, logOut } from "./session.js";
import { texts } from "./texts.js";
import { show } from "./zone.js";

const LINKS = [
	{ href: "/", text: texts.pages.overview },
	{ href: "/admin", text: texts.pages.admin },
];

function link({ href, text }) {
	return h("a", { href, "aria-current": location.pathname === href ? "page" : null }, text);
}

function sessionPart(session) {
	if (session === null || session.name === null)
		return h("a", { href: loginPath() }, texts.pages.login);
	const leave = async () => {
		await logOut();
		location.reload();
	};
	return h(
		"span",
		{ class: "session" },
		session.name,
		h("button", { class: "quiet", onclick: leave }, texts.pages.logout),
	);
}

function header(session) {
	const current = location.pathname === "/login" ? null : sessionPart(session);
	return h(
		"header",
		{ class: "frame" },
		h("a", { class: "skip", href: "#main" }, texts.skip),
		h("a", { class: "brand", href: "/" }, texts.brand),
		h("nav", null, LINKS.map(link), current),
	);
}

// Skipping must not leave the fragment, which holds what the page shows.
function skips(element, main) {
	element.querySelector(".skip").addEventListener("click", (event) => {
		event.preventDefault();
		main.focus();
	});
	return element;
}

// Puts the frame around the page. Returns its parts: main to be filled, two notices, of what is wrong and of what is stale,
// and the session (null when the server can't be reached).
export async function openFrame(title) {
	document.title = `${title} – ${texts.brand}`;
	const main = h("main", { id: "main", tabindex: "-1" });
	const notice = makeNotice();
	const freshness = makeNotice();
	let session = null;
	let problem = null;
	try {
		session = await currentSession();
	} catch (error) {
		problem = error;
	}
	document.body.replaceChildren(skips(header(session), main), freshness, notice, main);
	const frame = { main, notice, freshness, session };
	if (problem) complain(frame, problem);
	return frame;
}

function makeNotice() {
	return h("p", { class: "notice", role: "status", hidden: true });
}

function tellProblem(notice, problem) {
	const mayLogIn = problem?.status === 401 || problem?.status === 403;
	notice.hidden = problem === null;
	notice.replaceChildren(problem?.message ?? "");
	if (mayLogIn) notice.append(" ", h("a", { href: loginPath() }, texts.pages.login));
}

// Says what is wrong, above the page; null: nothing is.
export function complain(frame, problem) {
	tellProblem(frame.notice, problem);
}

// Says whether what is shown can be trusted; `dimmed` is greyed while it can't.
export function tellFreshness(frame, dimmed, { fresh, since, problem }) {
	dimmed.classList.toggle("stale", !fresh && since !== null);
	if (problem) {
		tellProblem(frame.freshness, problem);
		return;
	}
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	const text =
		since === null ? texts.stale.connecting : texts.stale.since(show(since, zone, "seconds"));
	frame.freshness.hidden = fresh;
	setText(frame.freshness, fresh ? "" : text);
}
