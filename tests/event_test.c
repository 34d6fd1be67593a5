/* Events as tests/payload_cases.txt has them: that file says what its lines mean. */
#include "event.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

struct outcome {
	bool understood;
	struct event event;
	enum reason reason; /* that it can't be understood; REASON_NONE otherwise */
};

struct payload_case {
	char *name;
	GString *payload;
	GArray *outcomes; /* struct outcome */
};

static GPtrArray *cases;

/* Reading the file */

static void append_bytes(GString *out, const char *text, int repetition)
{
	while (*text != '\0') {
		if (*text != '\\') {
			g_string_append_c(out, *text++);
			continue;
		}
		switch (text[1]) {
		case '\\':
			g_string_append_c(out, '\\');
			break;
		case '#':
			g_string_append_printf(out, "%d", repetition);
			break;
		case 'x':
			g_assert_true(g_ascii_isxdigit(text[2]) && g_ascii_isxdigit(text[3]));
			g_string_append_c(out, (char)(g_ascii_xdigit_value(text[2]) * 16 +
						      g_ascii_xdigit_value(text[3])));
			text += 2;
			break;
		default:
			g_error("what is '%s'?", text);
		}
		text += 2;
	}
}

static void take_payload(struct payload_case *taking, const char *text)
{
	append_bytes(taking->payload, text, 1);
}

static void take_repeat(struct payload_case *taking, const char *text)
{
	char *bytes;
	gint64 times = g_ascii_strtoll(text, &bytes, 10);

	g_assert_cmpint(times, >, 0);
	g_assert_true(*bytes == ' ');
	for (int i = 1; i <= times; i++)
		append_bytes(taking->payload, bytes + 1, i);
}

/* TIME COUNT SEQ, or TIME COUNT FIRST..LAST. */
static void take_events(struct payload_case *taking, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	struct outcome outcome = {.understood = true};
	gint64 last;
	char *end;

	g_assert_cmpuint(g_strv_length(words), ==, 3);
	g_assert_true(instant_parse(words[0], strlen(words[0]), &outcome.event.time));
	outcome.event.count = (int)g_ascii_strtoll(words[1], NULL, 10);
	outcome.event.seq = last = g_ascii_strtoll(words[2], &end, 10);
	if (g_str_has_prefix(end, ".."))
		last = g_ascii_strtoll(end + 2, &end, 10);
	g_assert_cmpstr(end, ==, "");
	for (; outcome.event.seq <= last; outcome.event.seq++)
		g_array_append_val(taking->outcomes, outcome);
}

static void take_stored(struct payload_case *taking, const char *text)
{
	take_events(taking, text);
}

static void take_rejected(struct payload_case *taking, const char *text)
{
	const char *event = strchr(text, ' ');
	g_autofree char *name =
		event != NULL ? g_strndup(text, (size_t)(event - text)) : g_strdup(text);
	struct outcome outcome = {0};

	if (!reason_find(name, &outcome.reason))
		g_error("there is no reason '%s'", name);
	if (event != NULL)
		take_events(taking, event + 1);
	else
		g_array_append_val(taking->outcomes, outcome);
}

static const struct {
	const char *keyword;
	void (*take)(struct payload_case *taking, const char *text);
} keywords[] = {
	{"payload ", take_payload},
	{"repeat ", take_repeat},
	{"stored ", take_stored},
	{"rejected ", take_rejected},
};

static struct payload_case *begin_case(const char *name)
{
	struct payload_case *begun = g_new0(struct payload_case, 1);

	begun->name = g_strdup(name);
	begun->payload = g_string_new(NULL);
	begun->outcomes = g_array_new(FALSE, FALSE, sizeof(struct outcome));
	g_ptr_array_add(cases, begun);
	return begun;
}

static void free_case(void *data)
{
	struct payload_case *done = data;

	g_free(done->name);
	g_string_free(done->payload, TRUE);
	g_array_unref(done->outcomes);
	g_free(done);
}

static void take_line(struct payload_case **taking, const char *line)
{
	if (*line == '\0' || *line == '#')
		return;
	if (g_str_has_prefix(line, "case ")) {
		*taking = begin_case(line + strlen("case "));
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(keywords); i++) {
		if (g_str_has_prefix(line, keywords[i].keyword)) {
			keywords[i].take(*taking, line + strlen(keywords[i].keyword));
			return;
		}
	}
	g_error("what is '%s'?", line);
}

static void read_cases(void)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	struct payload_case *taking = NULL;

	g_assert_true(g_file_get_contents(TEST_DATA_DIR "/payload_cases.txt", &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	cases = g_ptr_array_new_with_free_func(free_case);
	for (char **line = lines; *line != NULL; line++)
		take_line(&taking, *line);
	g_assert_cmpuint(cases->len, >=, 40);
}

/* Judging */

struct judging {
	const struct payload_case *judged;
	const char *payload;
	size_t size;
	const char *at; /* items stand one behind the other */
	guint items;
};

static void assert_event(const struct event *event, const struct event *expected)
{
	char text[INSTANT_TEXT_SIZE], expected_text[INSTANT_TEXT_SIZE];

	g_assert_nonnull(event);
	instant_format(event->time, text);
	instant_format(expected->time, expected_text);
	g_assert_cmpstr(text, ==, expected_text);
	g_assert_cmpint(event->count, ==, expected->count);
	g_assert_cmpint(event->seq, ==, expected->seq);
}

static void judge(void *context, const struct event *event, enum reason reason, const char *item,
		  size_t size)
{
	struct judging *judging = context;
	const struct outcome *expected;

	g_assert_cmpuint(judging->items, <, judging->judged->outcomes->len);
	expected = &g_array_index(judging->judged->outcomes, struct outcome, judging->items);
	judging->items++;
	g_assert_cmpstr(reason_name(reason), ==, reason_name(expected->reason));
	if (expected->understood)
		assert_event(event, &expected->event);
	else
		g_assert_null(event);
	g_assert_true(item >= judging->at);
	g_assert_true(item + size <= judging->payload + judging->size);
	judging->at = item + size;
}

static void a_payload_is_judged(gconstpointer data)
{
	const struct payload_case *judged = data;
	/* just as many bytes, for the address sanitizer */
	g_autofree char *payload = g_memdup2(judged->payload->str, judged->payload->len);
	struct judging judging = {
		.judged = judged,
		.payload = payload,
		.size = judged->payload->len,
		.at = payload,
	};

	event_read(payload, judging.size, judge, &judging);
	g_assert_cmpuint(judging.items, ==, judged->outcomes->len);
}

static void take_identity(void *context, const struct event *event, enum reason reason,
			  const char *item, size_t size)
{
	GHashTable *seen = context;
	g_autofree char *identity = NULL;

	(void)reason;
	g_assert_true(g_hash_table_add(seen, g_bytes_new(item, size)));
	if (event == NULL)
		return;
	identity = g_strdup_printf("%" G_GINT64_FORMAT " %d %" G_GINT64_FORMAT, event->time,
				   event->count, event->seq);
	g_assert_true(g_hash_table_add(seen, g_bytes_new(identity, strlen(identity))));
}

static void no_two_items_of_the_file_are_the_same(void)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
							   (GDestroyNotify)g_bytes_unref, NULL);

	for (guint i = 0; i < cases->len; i++) {
		const struct payload_case *read = g_ptr_array_index(cases, i);
		event_read(read->payload->str, read->payload->len, take_identity, seen);
	}
}

/* Items and wholes */

static void append_item(void *context, const struct event *event, enum reason reason,
			const char *item, size_t size)
{
	(void)event, (void)reason;
	g_string_append_len(context, item, (gssize)size);
	g_string_append_c(context, '|');
}

static void assert_items(const char *payload, const char *expected)
{
	g_autoptr(GString) items = g_string_new(NULL);

	event_read(payload, strlen(payload), append_item, items);
	g_assert_cmpstr(items->str, ==, expected);
}

static void an_item_comes_with_its_bytes(void)
{
	assert_items(" {\"count\": 1 }\n", "{\"count\": 1 }|");
	assert_items("[ {\"a\":\"],[\\\"\"} ,\n1,[2, 3],null ]",
		     "{\"a\":\"],[\\\"\"}|1|[2, 3]|null|");
}

static void a_payload_rejected_whole_comes_whole(void)
{
	assert_items(" [ ] ", " [ ] |");
	assert_items(" 17\n", " 17\n|");
	assert_items("[{},{},]", "[{},{},]|");
	assert_items("", "|");
}

static void a_payload_may_be_nothing(void)
{
	g_autoptr(GString) items = g_string_new(NULL);

	event_read(NULL, 0, append_item, items);
	g_assert_cmpstr(items->str, ==, "|");
}

/* Items of good payloads with a byte or two changed: each is judged once, as an event within its bounds or as
 * none. */
static void judge_changed(void *context, const struct event *event, enum reason reason,
			  const char *item, size_t size)
{
	guint *items = context;

	(void)item, (void)size;
	(*items)++;
	g_assert_true((event != NULL) == (reason == REASON_NONE));
	if (event == NULL) {
		g_assert_true(reason == REASON_MALFORMED || reason == REASON_INVALID_TIME ||
			      reason == REASON_INVALID_COUNT || reason == REASON_TOO_LARGE);
		return;
	}
	g_assert_true(event->time >= INSTANT_FIRST && event->time <= INSTANT_LAST);
	g_assert_true(event->count != 0 && ABS(event->count) <= EVENT_COUNT);
	g_assert_true(event->seq >= 0 && event->seq <= EVENT_SEQ_LAST);
}

static void a_changed_payload_harms_nothing(void)
{
	static const char bytes[] = "\"\\{}[]:,.-+eE019 \n\t\0ZT\x80\xff";

	for (guint i = 0; i < cases->len; i++) {
		const struct payload_case *changed = g_ptr_array_index(cases, i);

		if (changed->payload->len == 0 || changed->payload->len > 2000)
			continue;
		for (int round = 0; round < 300; round++) {
			size_t size =
				(size_t)g_test_rand_int_range(1, (gint32)changed->payload->len + 1);
			g_autofree char *payload = g_memdup2(changed->payload->str, size);
			guint items = 0;

			for (int k = g_test_rand_int_range(0, 3); k > 0; k--)
				payload[g_test_rand_int_range(0, (gint32)size)] =
					bytes[g_test_rand_int_range(0, sizeof bytes - 1)];
			event_read(payload, size, judge_changed, &items);
			g_assert_cmpuint(items, >=, 1);
		}
	}
}

static void every_reason_has_a_name(void)
{
	enum reason found;

	for (int reason = REASON_MALFORMED; reason < REASON_COUNT; reason++) {
		g_assert_true(reason_find(reason_name((enum reason)reason), &found));
		g_assert_cmpint(found, ==, reason);
	}
	g_assert_cmpstr(reason_name(REASON_NONE), ==, "none");
	g_assert_false(reason_find("none", &found));
	g_assert_false(reason_find("", &found));
	g_assert_false(reason_find("Malformed", &found));
}

int main(int argc, char **argv)
{
	int failed;

	g_test_init(&argc, &argv, NULL);
	read_cases();
	for (guint i = 0; i < cases->len; i++) {
		const struct payload_case *added = g_ptr_array_index(cases, i);
		g_autofree char *path = g_strconcat("/event/payload/", added->name, NULL);
		g_test_add_data_func(path, added, a_payload_is_judged);
	}
#define TEST(name) g_test_add_func("/event/" #name, name)
	TEST(no_two_items_of_the_file_are_the_same);
	TEST(an_item_comes_with_its_bytes);
	TEST(a_payload_rejected_whole_comes_whole);
	TEST(a_payload_may_be_nothing);
	TEST(a_changed_payload_harms_nothing);
	TEST(every_reason_has_a_name);
	failed = g_test_run();
	g_ptr_array_unref(cases);
	return failed;
}
