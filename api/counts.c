#include "counts.h"

#include <inttypes.h>

#include "buckets.h"
#include "interval.h"
#include "json.h"
#include "parameters.h"
#include "retention.h"
#include "spaces.h"

#define INTERVAL_DEFAULT "5m"
#define BUCKETS_MOST 10000
#define CROSSINGS_MOST 5000000 /* that one answer may read: what summaries of hours do not tell */
#define DECIMALS 4

struct question {
	struct space_state state;
	struct parameter_zone zone;
	instant start, end;
	bool until_now;
	const char *interval;
	GArray *edges; /* of instant */
	GString *body;
};

static bool read_interval(struct http_request *request, struct question *question)
{
	const char *text = http_parameter(request, "interval");
	struct interval interval;

	question->interval = text != NULL ? text : INTERVAL_DEFAULT;
	if (!interval_parse(question->interval, &interval)) {
		http_refuse_parameter(
			request, "interval",
			"expected minutes, hours, days, weeks or months such as 5m, 1h, "
			"1d, 2w or 1mo");
		return false;
	}
	question->edges = interval_edges(&interval, question->zone.zone, question->start,
					 question->end, BUCKETS_MOST);
	if (question->edges != NULL)
		return true;
	http_refuse_parameter(request, "interval",
			      "there would be more than %d buckets: choose longer ones",
			      BUCKETS_MOST);
	return false;
}

static bool read_question(struct http_request *request, struct question *question)
{
	if (!parameter_zone(request, question->state.timezone, &question->zone) ||
	    !parameter_time(request, "start", &question->zone, &question->start) ||
	    !parameter_time(request, "end", &question->zone, &question->end))
		return false;
	question->until_now = question->end == INSTANT_NONE;
	if (question->until_now)
		question->end = http_received(request);
	if (question->start == INSTANT_NONE)
		http_refuse_parameter(request, "start", "it must be given");
	else if (question->start >= question->end)
		http_refuse_parameter(request, question->until_now ? "start" : "end",
				      "end must be after start");
	else
		return read_interval(request, question);
	return false;
}

static void add_bucket(void *context, const struct bucket *bucket)
{
	struct question *question = context;
	int64_t capacity = question->state.capacity;
	GString *body = question->body;

	json_begin_object(body, NULL);
	json_add_instant(body, "start", bucket->start);
	json_add_instant(body, "end", bucket->end);
	json_add_integer(body, "opening", bucket->opening.count);
	json_add_integer(body, "closing", bucket->closing.count);
	json_add_integer(body, "net", bucket->closing.net);
	json_add_integer(body, "entries", bucket->entries);
	json_add_integer(body, "exits", bucket->exits);
	json_add_integer(body, "min", bucket->lowest);
	json_add_integer(body, "max", bucket->highest);
	json_add_instant(body, "max_time", bucket->highest_time);
	json_add_number(body, "average", bucket->average, DECIMALS);
	if (capacity == INT64_MIN)
		json_add_null(body, "utilization");
	else
		json_add_number(body, "utilization", bucket->average / (double)capacity, DECIMALS);
	json_end_object(body);
}

static void add_head(struct question *question, instant as_of)
{
	const struct space_state *state = &question->state;
	GString *body = question->body;

	json_begin_object(body, NULL);
	json_add_text(body, "space", state->id);
	json_add_text(body, "timezone", question->zone.name);
	json_add_text(body, "interval", question->interval);
	json_add_instant(body, "as_of", as_of);
	json_add_integer(body, "revision", state->point.revision);
	json_add_text(body, "health", space_health_name(state->health));
	json_add_instant(body, "last_event_time", state->point.last_event_time);
}

static void refuse_buckets(struct http_request *request, struct store *store, enum result result)
{
	char horizon[INSTANT_TEXT_SIZE];

	if (result == RESULT_NOT_FOUND) {
		instant_format(retention_horizon(store), horizon);
		http_refuse_parameter(
			request, "interval",
			"before %s only whole hours in UTC are kept: choose a start, an "
			"end and an interval that fall on them",
			horizon);
		return;
	}
	http_refuse_parameter(request, "start",
			      "more than %d crossings would have to be read: choose a shorter "
			      "time, or intervals of whole hours",
			      CROSSINGS_MOST);
}

static void answer(struct http_request *request, struct store *store, struct question *question)
{
	GString *body = g_string_new(NULL);
	enum result result;

	question->body = body;
	add_head(question, http_received(request));
	json_begin_array(body, "buckets");
	result = buckets_read(store, question->state.key, (const instant *)question->edges->data,
			      question->edges->len, CROSSINGS_MOST, add_bucket, question);
	if (result != RESULT_OK) {
		g_string_free(body, TRUE);
		refuse_buckets(request, store, result);
		return;
	}
	json_end_array(body);
	json_end_object(body);
	http_answer_json(request, 200, body);
}

/* An answer up to now is another one each time, though nothing happened. */
static bool is_unchanged(struct http_request *request, const struct question *question)
{
	g_autofree char *revision =
		question->until_now ? g_strdup_printf("%" PRId64 "-%" PRId64,
						      question->state.point.revision, question->end)
				    : g_strdup_printf("%" PRId64, question->state.point.revision);

	return http_unchanged(request, revision,
			      question->until_now ? HTTP_ASK_AGAIN : SPACES_PAST_KEPT);
}

static enum result show(struct store *store, void *context)
{
	struct http_request *request = context;
	struct question question = {0};

	if (!spaces_find(request, store, &question.state) || !read_question(request, &question))
		return RESULT_OK;
	space_look_back(store, &question.state, question.end - 1);
	if (!is_unchanged(request, &question))
		answer(request, store, &question);
	g_array_unref(question.edges);
	return RESULT_OK;
}

void counts_show(struct http_request *request)
{
	http_read(request, show);
}
