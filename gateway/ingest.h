/* What comes in: messages are gathered while the last batch is committed, then stored in one transaction. Knows no
 * socket; what is to be said afterwards is handed back. */
#ifndef HEADCOUNT_INGEST_H
#define HEADCOUNT_INGEST_H

#include "answers.h"
#include "batch.h"
#include "config.h"
#include "metric.h"
#include "store.h"

struct ingest;

/* What has happened since the program began; only committed work counts. */
struct ingest_counters {
	int64_t messages, stored, duplicates, rejected[REASON_COUNT], commands, batches;
	int64_t rejected_dropped, audit_dropped;
	int64_t commit_us_last, commit_us_max, batch_items_last, batch_items_max;
	instant last_commit;
	struct histogram commit_us;   /* by histogram_latency_us */
	struct histogram batch_items; /* by ingest_items_scale */
	struct histogram
		lag_ms; /* of stored events, from their time to receipt; by ingest_lag_scale */
};
extern const struct histogram_scale ingest_items_scale, ingest_lag_scale;

struct ingest *ingest_new(struct store *store, const struct config *config);
void ingest_free(struct ingest *ingest);

/* Puts a message into the batch in hand (copies it). */
void ingest_message(struct ingest *ingest, const struct message *message);
size_t ingest_items(const struct ingest *ingest); /* in the batch in hand */

/* Stores the batch in one transaction and begins a new one. On anything but RESULT_OK nothing was stored and
 * the batch is forgotten: the broker has it still. */
MUST_USE enum result ingest_commit(struct ingest *ingest);

/* What the senders of the batch committed last are to be told, for the caller to publish. */
const struct answers *ingest_answers(const struct ingest *ingest);

const struct ingest_counters *ingest_counters(const struct ingest *ingest);

#endif
