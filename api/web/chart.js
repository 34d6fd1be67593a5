// The chart of a history: how many were inside, in steps, and below it who came and went. Drawn with dygraphs.

import { h } from "./element.js";
import { texts } from "./texts.js";
import { zoneTicker } from "./ticks.js";

const { Dygraph } = window;
const SETTLED_MS = 200; // after the last movement of a finger or the mouse

// Its legend writes style attributes into the page, which the page's policy forbids; the readout stands for it.
Dygraph.PLUGINS = Dygraph.PLUGINS.filter((plugin) => plugin !== Dygraph.Plugins.Legend);

function colours() {
	const style = getComputedStyle(document.documentElement);
	const names = ["accent", "wash", "line", "faint", "ink", "almost", "full", "paper"];
	return Object.fromEntries(
		names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
	);
}

// So many pixels is the page's type: what is on a canvas, and the room for labels, goes with it.
function typeSize() {
	return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

// The highest bucket that has its own highest count: the first of them.
export function peakOf(buckets) {
	return buckets.reduce((peak, bucket) => (bucket.max > peak.max ? bucket : peak), buckets[0]);
}

export class Chart {
	// `handlers`: zoomed(start, end), zoomedOut(), pointed(bucket or null).
	constructor(handlers) {
		this.handlers = handlers;
		this.above = h("div", { class: "chart-above" });
		this.below = h("div", { class: "chart-below" });
		this.graphs = [];
		this.buckets = [];
		this.scheme = matchMedia("(prefers-color-scheme: dark)");
		this.scheme.addEventListener("change", () => this.redraw());
	}

	// `history`: {buckets, start, end, zone, capacity}.
	show(history) {
		this.history = history;
		this.buckets = history.buckets.map((bucket) => ({
			...bucket,
			from: Date.parse(bucket.start),
			to: Date.parse(bucket.end),
		}));
		this.peak = peakOf(this.buckets);
		this.row = null;
		this.colours = colours();
		if (this.graphs.length === 0) this.graphs = [this.makeAbove(), this.makeBelow()];
		else
			this.graphs.forEach((graph, index) =>
				graph.updateOptions(index === 0 ? this.upper() : this.lower()),
			);
	}

	redraw() {
		if (this.graphs.length) this.show(this.history);
	}

	// The step that is looked at, by its number; null: none.
	point(row) {
		this.row = row;
		for (const graph of this.graphs)
			row === null ? graph.clearSelection() : graph.setSelection(row);
		this.handlers.pointed(row === null ? null : this.buckets[row]);
	}

	// With the keyboard: so many steps on.
	step(by) {
		const last = this.buckets.length - 1;
		const from = this.row ?? (by > 0 ? -1 : last + 1);
		this.point(Math.min(Math.max(from + by, 0), last));
	}

	// --- what dygraphs is told

	shared() {
		const { start, end, zone } = this.history;
		return {
			dateWindow: [start, end],
			axisLineColor: this.colours.line,
			gridLineColor: this.colours.line,
			axes: {
				x: {
					ticker: zoneTicker(zone, 5 * typeSize()),
					drawGrid: false,
					axisLabelWidth: 5.25 * typeSize(),
				},
			},
		};
	}

	upper() {
		const file = this.buckets.map((bucket) => [bucket.from, bucket.average]);
		const room = this.history.capacity ?? 0;
		const top = room <= 2 * this.peak.max ? Math.max(room, this.peak.max) : this.peak.max;
		return { ...this.shared(), file, valueRange: [0, Math.max(top, 1) * 1.08] };
	}

	lower() {
		const file = this.buckets.map((bucket) => [bucket.from, bucket.entries]);
		const most = this.buckets.reduce((m, { entries, exits }) => Math.max(m, entries, exits), 1);
		return { ...this.shared(), file, valueRange: [-most * 1.1, most * 1.1] };
	}

	fixed(plotter, label) {
		return {
			labels: ["x", label],
			plotter,
			drawGapEdgePoints: false,
			axisLabelFontSize: 0.8125 * typeSize(),
			rightGap: 8,
			xRangePad: 0,
			highlightCircleSize: 2, // so much around the line is cleared when it moves
			drawHighlightPointCallback: (g, name, context, x) => this.drawPointed(g, context, x),
			animatedZooms: false,
			interactionModel: this.interaction(),
			highlightCallback: (event, x, points, row) => this.point(row),
			unhighlightCallback: () => this.point(null),
			drawCallback: (graph) => this.moved(graph),
		};
	}

	makeAbove() {
		const { file, ...options } = this.upper();
		const more = this.fixed((event) => this.drawPeople(event), texts.history.occupancy);
		const axes = this.axes(options, texts.number, 44);
		axes.x.drawAxis = false;
		return new Dygraph(this.above, file, { ...more, ...options, axes });
	}

	makeBelow() {
		const { file, ...options } = this.lower();
		const format = (value) => texts.number(Math.abs(value));
		const more = this.fixed((event) => this.drawCrossings(event), texts.history.crossings);
		return new Dygraph(this.below, file, {
			...more,
			...options,
			axes: this.axes(options, format, 28),
		});
	}

	axes(options, format, pixelsPerLabel) {
		const axisLabelFormatter = (value) => (Number.isInteger(value) ? format(value) : "");
		return {
			...options.axes,
			y: { axisLabelFormatter, axisLabelWidth: 3 * typeSize(), pixelsPerLabel },
		};
	}

	interaction() {
		const zoomOut = () => this.handlers.zoomedOut();
		return { ...Dygraph.defaultInteractionModel, dblclick: zoomOut };
	}

	// --- what is drawn

	edges(graph, bucket) {
		return [bucket.from, Math.min(bucket.to, this.history.end)].map((time) =>
			graph.toDomXCoord(time),
		);
	}

	drawPeople({ drawingContext: context, dygraph: graph }) {
		this.drawGround(context, graph);
		context.globalAlpha = 0.28;
		context.fillStyle = this.colours.accent;
		for (const bucket of this.buckets) {
			const [left, right] = this.edges(graph, bucket);
			const top = graph.toDomYCoord(bucket.max);
			context.fillRect(
				left,
				top,
				Math.max(right - left, 1),
				graph.toDomYCoord(bucket.min) - top,
			);
		}
		context.globalAlpha = 1;
		this.drawSteps(context, graph);
		this.drawCapacity(context, graph);
		this.drawPeak(context, graph);
	}

	drawGround(context, graph) {
		const zero = graph.toDomYCoord(0);
		context.beginPath();
		context.moveTo(graph.toDomXCoord(this.buckets[0].from), zero);
		for (const bucket of this.buckets) {
			const [left, right] = this.edges(graph, bucket);
			const top = graph.toDomYCoord(bucket.max);
			context.lineTo(left, top);
			context.lineTo(right, top);
		}
		context.lineTo(this.edges(graph, this.buckets.at(-1))[1], zero);
		context.fillStyle = this.colours.wash;
		context.fill();
	}

	drawSteps(context, graph) {
		context.beginPath();
		for (const bucket of this.buckets) {
			const [left, right] = this.edges(graph, bucket);
			const y = graph.toDomYCoord(bucket.average);
			context.lineTo(left, y);
			context.lineTo(right, y);
		}
		context.strokeStyle = this.colours.accent;
		context.lineWidth = 1.75;
		context.lineJoin = "round";
		context.stroke();
	}

	drawPeak(context, graph) {
		if (this.peak.max === 0) return;
		const { x: left, w: width } = graph.getArea();
		const place = graph.toDomXCoord(Date.parse(this.peak.max_time));
		const x = Math.min(Math.max(place, left + 7), left + width - 7); // whole, at the edges too
		const y = graph.toDomYCoord(this.peak.max);
		context.beginPath();
		context.arc(x, y, 5, 0, 2 * Math.PI);
		context.fillStyle = this.colours.paper;
		context.strokeStyle = this.colours.ink;
		context.lineWidth = 2;
		context.fill();
		context.stroke();
		const toTheLeft = x > left + width - 60;
		context.fillStyle = this.colours.ink;
		context.font = `700 ${0.875 * typeSize()}px sans-serif`;
		context.textAlign = toTheLeft ? "right" : "left";
		context.textBaseline = "middle";
		context.fillText(texts.number(this.peak.max), x + (toTheLeft ? -10 : 10), Math.max(y, 8));
	}

	drawPointed(graph, context, x) {
		const area = graph.getArea();
		context.fillStyle = this.colours.faint;
		context.fillRect(Math.round(x), area.y, 1, area.h);
	}

	drawCapacity(context, graph) {
		const { capacity } = this.history;
		if (capacity === null) return;
		const area = graph.getArea();
		const y = graph.toDomYCoord(capacity); // above the area, and not seen, if the space was never nearly full
		context.strokeStyle = this.colours.full;
		context.lineWidth = 1.25;
		context.setLineDash([6, 5]);
		context.beginPath();
		context.moveTo(area.x, y);
		context.lineTo(area.x + area.w, y);
		context.stroke();
		context.setLineDash([]);
	}

	drawCrossings({ drawingContext: context, dygraph: graph }) {
		const zero = graph.toDomYCoord(0);
		for (const bucket of this.buckets) {
			const [left, right] = this.edges(graph, bucket);
			const width = Math.max(right - left - (right - left > 3 ? 1 : 0), 0.75);
			context.fillStyle = this.colours.accent;
			context.fillRect(
				left,
				graph.toDomYCoord(bucket.entries),
				width,
				zero - graph.toDomYCoord(bucket.entries),
			);
			context.fillStyle = this.colours.faint;
			context.fillRect(left, zero, width, graph.toDomYCoord(-bucket.exits) - zero);
		}
	}

	// --- what people do with it

	// Both graphs show the same time; when the movement is over the page is told, and loads that time in finer steps.
	moved(graph) {
		const [start, end] = graph.xAxisRange();
		if (!this.history || (start === this.history.start && end === this.history.end)) return;
		clearTimeout(this.settling);
		this.settling = setTimeout(() => this.handlers.zoomed(start, end), SETTLED_MS);
		for (const other of this.graphs) {
			const [from, to] = other.xAxisRange();
			if (other !== graph && (from !== start || to !== end))
				other.updateOptions({ dateWindow: [start, end] });
		}
	}
}
