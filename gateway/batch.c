#include "batch.h"

#include <string.h>

/* Answers go nowhere else: a sender must not make us publish what it may not publish itself. */
#define ANSWERS_BELOW "replies/"

static void clear_delivery(gpointer data)
{
	struct delivery *delivery = data;

	g_free(delivery->response_topic);
	g_bytes_unref(delivery->correlation);
	if (delivery->answer != NULL)
		g_string_free(delivery->answer, TRUE);
}

void batch_begin(struct batch *ret_batch)
{
	*ret_batch = (struct batch){
		.texts = g_string_chunk_new(65536),
		.deliveries = g_array_new(FALSE, TRUE, sizeof(struct delivery)),
		.crossings = g_array_new(FALSE, TRUE, sizeof(struct crossing)),
		.items = g_array_new(FALSE, TRUE, sizeof(struct item)),
		.refusals = g_array_new(FALSE, TRUE, sizeof(struct refusal)),
	};
	g_array_set_clear_func(ret_batch->deliveries, clear_delivery);
}

void batch_end(struct batch *batch)
{
	g_string_chunk_free(batch->texts);
	g_array_unref(batch->deliveries);
	g_array_unref(batch->crossings);
	g_array_unref(batch->items);
	g_array_unref(batch->refusals);
}

void batch_forget(struct batch *batch)
{
	g_array_set_size(batch->deliveries, 0);
	g_array_set_size(batch->crossings, 0);
	g_array_set_size(batch->items, 0);
	g_array_set_size(batch->refusals, 0);
	g_string_chunk_clear(batch->texts);
}

struct delivery *batch_delivery(const struct batch *batch, guint index)
{
	return &g_array_index(batch->deliveries, struct delivery, index);
}

struct crossing *batch_crossings(const struct batch *batch)
{
	return (struct crossing *)(void *)batch->crossings->data;
}

const struct refusal *batch_refusal(const struct batch *batch, guint index)
{
	return &g_array_index(batch->refusals, struct refusal, index);
}

struct delivery *batch_delivery_of(const struct batch *batch, const struct item *item)
{
	return batch_delivery(batch, item->message);
}

size_t batch_size(const struct batch *batch)
{
	return batch->deliveries->len + batch->crossings->len + batch->refusals->len;
}

/* Taking in */

struct taking {
	struct batch *batch;
	const struct delivery *delivery;
	int64_t max_clock_skew_ms;
};

static void take_item(void *context, const struct event *event, enum reason reason,
		      const char *bytes, size_t size)
{
	const struct taking *taking = context;
	const struct delivery *delivery = taking->delivery;
	struct batch *batch = taking->batch;
	struct item item = {.bytes = bytes, .size = size, .message = batch->deliveries->len - 1};

	if (event == NULL) {
		struct refusal refusal = {.item = item, .reason = reason};
		g_array_append_val(batch->refusals, refusal);
		return;
	}
	struct crossing crossing = {
		.dpu_id = delivery->dpu_id,
		.event = *event,
		.received = delivery->received,
		.latest = delivery->received + taking->max_clock_skew_ms,
	};
	g_array_append_val(batch->crossings, crossing);
	g_array_append_val(batch->items, item);
}

static void take_events(struct batch *batch, const struct delivery *delivery,
			int64_t max_clock_skew_ms)
{
	struct taking taking = {batch, delivery, max_clock_skew_ms};

	if (delivery->dpu_id[0] == '\0')
		take_item(&taking, NULL, REASON_TOPIC, delivery->payload, delivery->size);
	else
		event_read(delivery->payload, delivery->size, take_item, &taking);
}

void batch_add(struct batch *batch, const struct message *message, int64_t max_clock_skew_ms)
{
	char dpu_id[JSON_ID_SIZE];
	struct delivery delivery = {
		.kind = topic_kind(message->topic, dpu_id),
		.topic = g_string_chunk_insert(batch->texts, message->topic),
		.dpu_id = g_string_chunk_insert(batch->texts, dpu_id),
		.payload = g_string_chunk_insert_len(batch->texts, message->payload,
						     (gssize)message->size),
		.size = message->size,
		.received = message->received,
		.crossings = batch->crossings->len,
		.refusals = batch->refusals->len,
	};

	if (message->response_topic != NULL &&
	    g_str_has_prefix(message->response_topic, ANSWERS_BELOW)) {
		delivery.response_topic = g_strdup(message->response_topic);
		delivery.correlation = g_bytes_new(message->correlation, message->correlation_size);
	}
	g_array_append_val(batch->deliveries, delivery);
	if (delivery.kind == TOPIC_EVENTS)
		take_events(batch, &delivery, max_clock_skew_ms);
}
