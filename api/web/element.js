// Elements made by construction: what is text stays text, whatever it holds, so nothing needs escaping.

const SVG = "http://www.w3.org/2000/svg";

function dress(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else if (value === true) element.setAttribute(name, "");
		else if (value !== false && value !== null && value !== undefined)
			element.setAttribute(name, value);
	}
	element.append(...children.flat().filter((child) => child !== null && child !== undefined));
	return element;
}

// h("a", {href: "/", onclick: f}, "text", child…): an HTML element. `true` is an attribute without a value; false,
// null and undefined leave it away.
export function h(name, attributes, ...children) {
	return dress(document.createElement(name), attributes, children);
}

// The same for SVG.
export function svg(name, attributes, ...children) {
	return dress(document.createElementNS(SVG, name), attributes, children);
}

// Writes only what is different: an unchanged text is no news to a screen reader, and costs no layout.
export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

// A call of the function before the next frame, however often it is asked for.
export function onceAFrame(paint) {
	let due = false;
	return () => {
		if (due) return;
		due = true;
		requestAnimationFrame(() => {
			due = false;
			paint();
		});
	};
}
