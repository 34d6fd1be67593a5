#include "answers.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"

struct answer {
	char *topic, *payload;
	GBytes *correlation; /* NULL: none */
};

struct answers {
	bool confirm_stored;
	GArray *to_requests, *to_dpus; /* struct answer */
};

static void clear_answer(gpointer data)
{
	struct answer *answer = data;

	g_free(answer->topic);
	g_free(answer->payload);
	g_bytes_unref(answer->correlation);
}

static GArray *new_list(void)
{
	GArray *list = g_array_new(FALSE, TRUE, sizeof(struct answer));

	g_array_set_clear_func(list, clear_answer);
	return list;
}

struct answers *answers_new(bool confirm_stored)
{
	struct answers *answers = g_new0(struct answers, 1);

	*answers = (struct answers){confirm_stored, new_list(), new_list()};
	return answers;
}

void answers_free(struct answers *answers)
{
	g_array_unref(answers->to_requests);
	g_array_unref(answers->to_dpus);
	g_free(answers);
}

void answers_forget(struct answers *answers)
{
	g_array_set_size(answers->to_requests, 0);
	g_array_set_size(answers->to_dpus, 0);
}

/* Requests */

static void answer_request(struct answers *answers, struct delivery *delivery)
{
	const struct rejected_tally *tally = &delivery->tally;
	struct answer answer = {
		.topic = g_steal_pointer(&delivery->response_topic),
		.correlation = g_steal_pointer(&delivery->correlation),
	};

	if (delivery->answer != NULL)
		answer.payload = g_string_free(g_steal_pointer(&delivery->answer), FALSE);
	else
		answer.payload =
			g_strdup_printf("{\"status\":200,\"body\":{\"stored\":%" PRId64
					",\"duplicates\":%" PRId64 ",\"rejected\":%" PRId64 "}}",
					tally->stored, tally->duplicates, tally->rejected);
	g_array_append_val(answers->to_requests, answer);
}

/* Confirmations */

/* An item without an event is named by its bytes, as table rejected_event has them. */
static void confirm_refusal(GString *payload, const struct refusal *refusal)
{
	g_autofree char *digest = g_compute_checksum_for_data(
		G_CHECKSUM_SHA256, (const guchar *)refusal->item.bytes, refusal->item.size);

	json_begin_object(payload, NULL);
	json_add_text(payload, "sha256", digest);
	json_add_text(payload, "rejected", reason_name(refusal->reason));
	json_end_object(payload);
}

static void confirm_crossing(GString *payload, const struct crossing *crossing)
{
	json_begin_object(payload, NULL);
	json_add_instant(payload, "dpu_event_time", crossing->event.time);
	json_add_integer(payload, "seq", crossing->event.seq);
	json_add_integer(payload, "count", crossing->event.count);
	if (crossing->outcome == CROSSING_REJECTED)
		json_add_text(payload, "rejected", reason_name(crossing->reason));
	json_end_object(payload);
}

/* Every item of the message is named, and no other: that one event is on the disk says nothing of those before it. */
static void confirm(struct answers *answers, const struct batch *batch,
		    const struct delivery *delivery, guint end_crossing, guint end_refusal)
{
	GString *payload = g_string_new(NULL);
	struct answer answer = {.topic = g_strdup_printf("dpu/%s/stored", delivery->dpu_id)};

	json_begin_array(payload, NULL);
	for (guint i = delivery->crossings; i < end_crossing; i++)
		confirm_crossing(payload, &batch_crossings(batch)[i]);
	for (guint i = delivery->refusals; i < end_refusal; i++)
		confirm_refusal(payload, batch_refusal(batch, i));
	json_end_array(payload);
	answer.payload = g_string_free(payload, FALSE);
	g_array_append_val(answers->to_dpus, answer);
}

/* Backwards, so that each message knows where the items of the next one begin. */
static void confirm_each(struct answers *answers, const struct batch *batch)
{
	guint end_crossing = batch->crossings->len, end_refusal = batch->refusals->len;

	for (guint i = batch->deliveries->len; i-- > 0;) {
		const struct delivery *delivery = batch_delivery(batch, i);

		if (delivery->kind == TOPIC_EVENTS && delivery->dpu_id[0] != '\0')
			confirm(answers, batch, delivery, end_crossing, end_refusal);
		end_crossing = delivery->crossings;
		end_refusal = delivery->refusals;
	}
}

/* Both */

void answers_collect(struct answers *answers, struct batch *batch)
{
	answers_forget(answers);
	for (guint i = 0; i < batch->deliveries->len; i++) {
		struct delivery *delivery = batch_delivery(batch, i);

		if (delivery->response_topic != NULL)
			answer_request(answers, delivery);
	}
	if (answers->confirm_stored)
		confirm_each(answers, batch);
}

static void publish_each(const GArray *list, answers_publish *publish, void *context)
{
	for (guint i = 0; i < list->len; i++) {
		const struct answer *answer = &g_array_index(list, struct answer, i);
		gsize size = 0;
		const void *correlation = answer->correlation == NULL
						  ? NULL
						  : g_bytes_get_data(answer->correlation, &size);

		publish(context, answer->topic, answer->payload, strlen(answer->payload),
			correlation, size);
	}
}

void answers_to_requests(const struct answers *answers, answers_publish *publish, void *context)
{
	publish_each(answers->to_requests, publish, context);
}

void answers_to_dpus(const struct answers *answers, answers_publish *publish, void *context)
{
	publish_each(answers->to_dpus, publish, context);
}
