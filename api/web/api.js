// Requests to the server, and what it answers.

import { texts } from "./texts.js";

// A refusal (RFC 9457): `detail` says what was expected, `parameter` or `member` where. Status 0: no answer came.
export class Problem extends Error {
	constructor(status, body) {
		super(body?.detail ?? texts.api.failed(status));
		this.status = status;
		this.place = body?.member ?? body?.parameter ?? null;
	}

	// May the same be answered otherwise in a while?
	get passing() {
		return this.status === 0 || this.status >= 500;
	}
}

// path`/spaces/${id}`: what is filled in can't leave its place.
export function path(strings, ...values) {
	return String.raw({ raw: strings }, ...values.map(encodeURIComponent));
}

// The path with its query; parameters that are null or empty are left out.
export function target(where, parameters = {}) {
	const given = Object.entries(parameters).filter(
		([, value]) => value !== null && value !== "" && value !== undefined,
	);
	return given.length ? `${where}?${new URLSearchParams(given)}` : where;
}

async function fetched(where, options) {
	try {
		return await fetch(where, options);
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Problem(0, { detail: texts.api.unreachable });
	}
}

async function answered(response) {
	const type = response.headers.get("Content-Type") ?? "";
	const body = response.status !== 204 && type.includes("json") ? await response.json() : null;
	if (!response.ok) throw new Problem(response.status, body);
	return body;
}

export async function ask(where, parameters, signal) {
	return answered(await fetched(target(where, parameters), { signal }));
}

// A change; the header tells the server that a page of its own asks, not a form of a stranger.
export async function tell(method, where, body) {
	const headers = { "Headcount-Request": "1" };
	if (body !== undefined) headers["Content-Type"] = "application/json";
	const options = {
		method,
		headers,
		body: body === undefined ? undefined : JSON.stringify(body),
	};
	return answered(await fetched(where, options));
}

// A stream that the caller reads.
export async function listen(where, parameters, headers, signal) {
	const response = await fetched(target(where, parameters), {
		headers,
		signal,
		cache: "no-store",
	});
	return response.ok ? response.body : answered(response);
}

// What the server says of itself: the names of the checks that fail.
export async function failingChecks() {
	const response = await fetched("/readyz", { cache: "no-store" });
	const { checks } = await response.json();
	return checks.filter((check) => !check.ok).map((check) => check.name);
}
