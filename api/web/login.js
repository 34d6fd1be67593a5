// Turns a token into a session, and goes back to where one came from.

import { h } from "./element.js";
import { openFrame } from "./frame.js";
import { logIn, wayBack } from "./session.js";
import { texts } from "./texts.js";

const frame = await openFrame(texts.login.title);
const token = h("input", {
	id: "token",
	type: "password",
	autocomplete: "current-password",
	spellcheck: "false",
	"aria-describedby": "token-error",
});
const error = h("p", { class: "error", id: "token-error", role: "alert" });

function refuse(text) {
	error.textContent = text;
	token.setAttribute("aria-invalid", "true");
	token.focus();
}

async function submit(event) {
	event.preventDefault();
	if (token.value.trim() === "") {
		refuse(texts.login.missing);
		return;
	}
	try {
		await logIn(token.value.trim());
		location.assign(wayBack());
	} catch (problem) {
		refuse(problem.message);
	}
}

function sessionNow() {
	if (!frame.session?.name) return null;
	const { name, scope } = frame.session;
	return h(
		"p",
		null,
		texts.login.as(name, scope),
		" ",
		h("a", { href: wayBack() }, texts.login.onwards),
	);
}

frame.main.append(
	h(
		"form",
		{ class: "panel", onsubmit: submit },
		h("h1", null, texts.login.title),
		sessionNow(),
		h(
			"p",
			null,
			texts.login.why,
			" ",
			h("code", null, texts.login.command),
			" ",
			texts.login.also,
		),
		h("label", { for: "token" }, texts.login.token, token),
		error,
		h("button", { class: "primary" }, texts.login.submit),
		h("p", { class: "hint" }, texts.login.kept),
	),
);
token.focus();
