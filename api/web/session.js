// Who looks at the page: a session that the server keeps for a token.

import { ask, tell } from "./api.js";

export function currentSession() {
	return ask("/session");
}

export function logIn(token) {
	return tell("POST", "/session", { token });
}

export function logOut() {
	return tell("DELETE", "/session");
}

export function isAdmin(session) {
	return session.scope === "admin";
}

// The parts after # as a map: what is said there stays in the browser.
export function fragment() {
	return new URLSearchParams(location.hash.slice(1));
}

export function replaceFragment(parameters) {
	const text = new URLSearchParams(parameters).toString();
	history.replaceState(null, "", text ? `#${text}` : location.pathname);
}

// A link may carry a token, /display/A#token=…: it becomes a session and leaves the address bar; not before the server has
// judged it, so that it can be tried again. Who is logged in stays who they are, whatever link they follow.
export async function takeTokenOfLink() {
	const parts = fragment();
	const token = parts.get("token");
	if (token === null) return;
	const { name } = await currentSession();
	const problem = name === null ? await refusalOf(token) : null;
	if (problem?.passing) throw problem;
	parts.delete("token");
	replaceFragment(parts);
	if (problem !== null) throw problem;
}

async function refusalOf(token) {
	try {
		await logIn(token);
		return null;
	} catch (problem) {
		return problem;
	}
}

// Where to log in, and to come back from.
export function loginPath(back = location.pathname) {
	return `/login#${new URLSearchParams({ next: back })}`;
}

// Where to go after it: an address of this server, and of no other. A path alone could lead elsewhere: "//example.org".
export function wayBack() {
	try {
		const next = new URL(fragment().get("next") ?? "/", location.origin);
		return next.origin === location.origin ? next.href : "/";
	} catch {
		return "/"; // it is no address at all
	}
}
