// A form in a dialog, made from a table of fields; what the server refuses is said beside the field it means.

import { h, setText } from "./element.js";
import { texts } from "./texts.js";

const words = texts.admin;

// A field is {member, kind, required, choices, suggestions}: kind "number" becomes a number, an empty text null.
function valueOf(field, input) {
	const text = input.value.trim();
	if (text === "") return null;
	return field.kind === "number" || field.kind === "choice-number" ? Number(text) : text;
}

function inputOf(field, value, id) {
	const common = { id, name: field.member, "aria-describedby": `${id}-hint ${id}-error` };
	if (field.choices) {
		const options = Object.entries(field.choices).map(([key, text]) =>
			h("option", { value: key, selected: key === String(value) }, text),
		);
		return h("select", common, options);
	}
	const type = field.kind === "number" ? "number" : "text";
	const list = field.suggestions ? `${id}-list` : null;
	return h("input", {
		...common,
		type,
		list,
		value: value ?? "",
		required: field.required,
		autocomplete: "off",
	});
}

function row(field, value) {
	const id = `field-${field.member}`;
	const input = inputOf(field, value, id);
	const error = h("p", { class: "error", id: `${id}-error` });
	const hint = h("p", { class: "hint", id: `${id}-hint` }, words.hints[field.member] ?? "");
	const suggestions = h("datalist", { id: `${id}-list` });
	field
		.suggestions?.()
		.then((ids) => suggestions.append(...ids.map((one) => h("option", { value: one }))));
	const element = h(
		"div",
		{ class: "field" },
		h("label", { for: id }, words.members[field.member], input),
		hint,
		error,
		suggestions,
	);
	return { field, input, error, element };
}

// What the server is to be told: when something is changed only what differs, else only what was filled in.
function bodyOf(rows, before) {
	const values = rows.map(({ field, input }) => [field.member, valueOf(field, input)]);
	return Object.fromEntries(
		values.filter(([member, value]) =>
			before ? value !== (before[member] || null) : value !== null,
		),
	);
}

function showProblem(rows, general, problem) {
	for (const { field, input, error } of rows) {
		const here = field.member === problem?.place;
		setText(error, here ? problem.message : "");
		input.setAttribute("aria-invalid", String(here));
	}
	const guilty = rows.find(({ field }) => field.member === problem?.place);
	setText(general, problem && !guilty ? problem.message : "");
	guilty?.input.focus();
}

function openDialog(title, content, submitText, submit) {
	const general = h("p", { class: "error", role: "alert" });
	const button = h("button", { class: "primary" }, submitText);
	const cancel = h("button", { type: "button", onclick: () => dialog.close() }, texts.cancel);
	const form = h(
		"form",
		{ novalidate: true },
		h("h2", null, title),
		content,
		general,
		h("div", { class: "tools" }, button, cancel),
	);
	const dialog = h("dialog", { "aria-label": title }, form);
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		button.disabled = true;
		if (await submit(general)) dialog.close();
		button.disabled = false;
	});
	dialog.addEventListener("close", () => dialog.remove());
	document.body.append(dialog);
	dialog.showModal();
}

// Asks for the fields; `before` is what is to be changed, null for something new. `send(body)` tells the server; a
// problem that it throws is shown and the dialog stays.
export function askFor(title, fields, before, send) {
	const rows = fields.map((field) => row(field, before?.[field.member]));
	const content = h(
		"div",
		{ class: "fields" },
		rows.map(({ element }) => element),
	);
	openDialog(title, content, words.save, async (general) => {
		try {
			await send(bodyOf(rows, before));
			return true;
		} catch (problem) {
			showProblem(rows, general, problem);
			return false;
		}
	});
}

// Asks whether to do something that can't be undone.
export function confirm(title, why, submitText, send) {
	openDialog(title, h("p", null, why), submitText, async (general) => {
		try {
			await send();
			return true;
		} catch (problem) {
			setText(general, problem.message);
			return false;
		}
	});
}
