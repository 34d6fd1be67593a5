#include "upload.h"

#include <inttypes.h>

/* Events that wait for their batch to fill, of all DPUs together: about 10 MB. */
#define WAITING_MOST 100000

/* {"dpu_event_time":"2026-11-23T08:15:30.125Z","count":-100,"seq":9007199254740991}, is 83 bytes. */
#define ITEM_BYTES_MOST 96

struct upload {
	struct broker *broker;
	size_t batch;
	GHashTable *batches; /* DPU id -> struct batch */
	size_t waiting;
	struct upload_tally tally;
};

struct batch {
	GString *payload; /* a JSON array that is still open */
	size_t items;
};

static void free_batch(gpointer data)
{
	struct batch *batch = data;

	g_string_free(batch->payload, TRUE);
	g_free(batch);
}

struct upload *upload_new(struct broker *broker, size_t batch)
{
	struct upload *upload = g_new0(struct upload, 1);

	upload->broker = broker;
	upload->batch = batch;
	upload->batches = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_batch);
	return upload;
}

void upload_free(struct upload *upload)
{
	if (upload == NULL)
		return;
	g_hash_table_unref(upload->batches);
	g_free(upload);
}

static void count_answer(void *context, const char *subject, const struct answer *answer)
{
	struct upload *upload = context;
	struct upload_tally *tally = &upload->tally;

	(void)subject;
	tally->stored += json_member_integer(answer->body, "stored", 0);
	tally->duplicates += json_member_integer(answer->body, "duplicates", 0);
	tally->rejected += json_member_integer(answer->body, "rejected", 0);
}

static enum result send_batch(struct upload *upload, const char *dpu_id, struct batch *batch)
{
	g_autofree char *topic = g_strdup_printf("dpu/%s/events", dpu_id);
	struct request request = {
		.topic = topic,
		.subject = dpu_id,
		.handler = count_answer,
		.context = upload,
	};
	enum result result;

	json_end_array(batch->payload);
	request.payload = batch->payload->str;
	request.size = batch->payload->len;
	result = broker_request(upload->broker, &request);
	upload->tally.sent += (int64_t)batch->items;
	upload->waiting -= batch->items;
	return result;
}

static enum result send_all(struct upload *upload)
{
	GHashTableIter each;
	gpointer dpu_id, batch;
	enum result result = RESULT_OK;

	g_hash_table_iter_init(&each, upload->batches);
	while (result == RESULT_OK && g_hash_table_iter_next(&each, &dpu_id, &batch)) {
		result = send_batch(upload, dpu_id, batch);
		g_hash_table_iter_remove(&each);
	}
	return result;
}

static struct batch *find_batch(struct upload *upload, const char *dpu_id)
{
	struct batch *batch = g_hash_table_lookup(upload->batches, dpu_id);

	if (batch == NULL) {
		batch = g_new0(struct batch, 1);
		batch->payload = g_string_new(NULL);
		json_begin_array(batch->payload, NULL);
		g_hash_table_insert(upload->batches, g_strdup(dpu_id), batch);
	}
	return batch;
}

void upload_write_event(GString *payload, const struct event *event)
{
	json_begin_object(payload, NULL);
	json_add_instant(payload, "dpu_event_time", event->time);
	json_add_integer(payload, "count", event->count);
	if (event->seq != 0)
		json_add_integer(payload, "seq", event->seq);
	json_end_object(payload);
}

enum result upload_add(struct upload *upload, const char *dpu_id, const struct event *event)
{
	struct batch *batch = find_batch(upload, dpu_id);
	enum result result = RESULT_OK;

	upload_write_event(batch->payload, event);
	batch->items++;
	upload->waiting++;
	if (upload->waiting >= WAITING_MOST)
		return send_all(upload);
	if (batch->items >= upload->batch ||
	    batch->payload->len > EVENT_PAYLOAD_BYTES - ITEM_BYTES_MOST) {
		result = send_batch(upload, dpu_id, batch);
		g_hash_table_remove(upload->batches, dpu_id);
	}
	return result;
}

enum result upload_finish(struct upload *upload)
{
	enum result result = send_all(upload);

	return result == RESULT_OK ? broker_finish(upload->broker) : result;
}

const struct upload_tally *upload_tally(const struct upload *upload)
{
	return &upload->tally;
}

char *upload_tally_text(const struct upload_tally *tally)
{
	return g_strdup_printf("%" PRId64 " stored, %" PRId64 " duplicates, %" PRId64 " rejected",
			       tally->stored, tally->duplicates, tally->rejected);
}

void upload_tally_add(GString *json, const struct upload_tally *tally)
{
	json_add_integer(json, "stored", tally->stored);
	json_add_integer(json, "duplicates", tally->duplicates);
	json_add_integer(json, "rejected", tally->rejected);
}

bool upload_tally_clean(const struct upload_tally *tally)
{
	return tally->stored + tally->duplicates == tally->sent;
}
