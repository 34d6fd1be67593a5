/* What a request says of itself: its target and what it accepts. */
#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#include "accept.h"
#include "client.h"
#include "uri.h"

/* Segments and parameters as one text: "spaces|A ? time=2026-11-23 08:00". */
static char *parsed(const char *text)
{
	GString *shown = g_string_new(NULL);
	struct uri uri;
	const char *why;

	if (!uri_parse(text, &uri, &why))
		g_string_assign(shown, why);
	for (size_t i = 0; i < uri.segment_count; i++)
		g_string_append_printf(shown, "%s%s", i > 0 ? "|" : "", uri.segments[i]);
	for (size_t i = 0; i < uri.parameter_count; i++)
		g_string_append_printf(shown, " ? %s=%s", uri.parameters[i].name,
				       uri.parameters[i].value);
	uri_clear(&uri);
	return g_string_free(shown, FALSE);
}

static void targets_are_taken_apart(void)
{
	static const char *const cases[][2] = {
		{"/", ""},
		{"/spaces/A", "spaces|A"},
		{"/spaces/", "spaces|"},
		{"//A", "|A"},
		{"/spaces/A?time=2026-11-23+08:00", "spaces|A ? time=2026-11-23 08:00"},
		{"/spaces/A?time=2026-11-23%2008%3A00", "spaces|A ? time=2026-11-23 08:00"},
		{"/spaces/A?time=x%2B01", "spaces|A ? time=x+01"},
		{"/a+b%2Bc", "a+b+c"},
		{"/a%2Fb", "a/b"},
		{"/%C3%A4", "\xC3\xA4"},
		{"/a?b&c=&=d&&e=f=g", "a ? b= ? c= ? =d ? e=f=g"},
		{"/a?", "a"},
		{"/a??", "a ? ?="},
		{"http://example.org/spaces/A?b=c", "spaces|A ? b=c"},
		{"HTTP://example.org", ""},
		{"http://example.org?b=c", " ? b=c"},
		{"*", "the path must begin with /"},
		{"spaces", "the path must begin with /"},
		{"?a=b", "the path must begin with /"},
		/* What is no text names nothing. */
		{"/a%00b", ""},
		{"/a%zz", ""},
		{"/a%FF", ""},
		{"/1/2/3/4/5/6/7", ""},
		{"/a?b=%00", "a ? b=\xEF\xBF\xBD"},
		{"/a?b=%2", "a ? b=\xEF\xBF\xBD"},
		{"/a?%FF=b", "a ? \xEF\xBF\xBD=b"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *shown = parsed(cases[i][0]);

		g_assert_cmpstr(shown, ==, cases[i][1]);
	}
}

static void parameters_have_a_bound(void)
{
	g_autoptr(GString) text = g_string_new("/a?");
	struct uri uri;
	const char *why;

	for (int i = 0; i < URI_PARAMETERS; i++)
		g_string_append(text, "b=c&");
	g_assert_true(uri_parse(text->str, &uri, &why));
	uri_clear(&uri);
	g_string_append(text, "b=c");
	g_assert_false(uri_parse(text->str, &uri, &why));
	uri_clear(&uri);
}

static void a_parameter_is_replaced_where_the_others_stay(void)
{
	static const char *const cases[][2] = {
		{"/a", "/a?cursor=X"},
		{"/a?limit=2", "/a?limit=2&cursor=X"},
		{"/a?cursor=Y&limit=2", "/a?limit=2&cursor=X"},
		{"/a?limit=2&cursor=Y", "/a?limit=2&cursor=X"},
		{"/a?cursory=Y", "/a?cursory=Y&cursor=X"},
		{"http://example.org/a?b=%20c", "/a?b=%20c&cursor=X"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *replaced = uri_replace(cases[i][0], "cursor", "X");

		g_assert_cmpstr(replaced, ==, cases[i][1]);
	}
}

static void types_are_liked_as_much_as_the_header_says(void)
{
	static const struct {
		const char *header, *type;
		int quality;
	} cases[] = {
		{NULL, "text/csv", 1000},
		{"", "text/csv", 1000},
		{"text/csv", "text/csv", 1000},
		{"TEXT/CSV; header=present", "text/csv", 1000},
		{"text/csv;q=0.5", "text/csv", 500},
		{"text/csv; q=0", "text/csv", 0},
		{"text/*", "text/csv", 1000},
		{"*/*;q=0.1", "text/csv", 100},
		{"*/*, text/csv;q=0", "text/csv", 0},
		{"text/*;q=0.3, */*;q=0.9", "text/csv", 300},
		{"text/html, application/json", "text/csv", 0},
		{"text/csvx", "text/csv", 0},
		{"text", "text/csv", 0},
		{"text/csv;q=7", "text/csv", 1000},
		{"text/csv;q=-1", "text/csv", 0},
		{"text/csv;q=nan", "text/csv", 0},
		{"text/csv;q=", "text/csv", 0},
		{",,;;,", "text/csv", 0},
		{"text/plain;version=0.0.4;q=0.5", "text/plain; version=0.0.4", 500},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(accept_quality(cases[i].header, cases[i].type), ==,
				cases[i].quality);
}

static void codings_are_liked_only_if_they_are_named(void)
{
	g_assert_cmpint(accept_coding_quality(NULL, "gzip"), ==, 0);
	g_assert_cmpint(accept_coding_quality("", "gzip"), ==, 0);
	g_assert_cmpint(accept_coding_quality("br, gzip", "gzip"), ==, 1000);
	g_assert_cmpint(accept_coding_quality("gzip;q=0, *", "gzip"), ==, 0);
	g_assert_cmpint(accept_coding_quality("*", "gzip"), ==, 1000);
	g_assert_cmpint(accept_coding_quality("identity", "gzip"), ==, 0);
}

static void tags_are_compared_weakly(void)
{
	g_assert_false(accept_names_tag(NULL, "W/\"1\""));
	g_assert_false(accept_names_tag("", "W/\"1\""));
	g_assert_true(accept_names_tag("W/\"1\"", "W/\"1\""));
	g_assert_true(accept_names_tag("\"1\"", "W/\"1\""));
	g_assert_true(accept_names_tag("\"0\", W/\"1\" ", "W/\"1\""));
	g_assert_true(accept_names_tag("*", "W/\"1\""));
	g_assert_false(accept_names_tag("\"12\"", "W/\"1\""));
	g_assert_false(accept_names_tag("1", "W/\"1\""));
}

static void a_type_is_itself_whatever_its_parameters(void)
{
	g_assert_true(accept_is_type("application/json", "application/json"));
	g_assert_true(accept_is_type("Application/JSON; charset=utf-8", "application/json"));
	g_assert_false(accept_is_type("application/jsonp", "application/json"));
	g_assert_false(accept_is_type("", "application/json"));
}

/* Who asks, as seen from a peer (IPv6, or IPv4 as IPv6 has it) with such an X-Forwarded-For. */
static char *client_of(const char *peer, const char *proxies, const char *forwarded)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	char text[CLIENT_SIZE];

	g_assert_cmpint(inet_pton(AF_INET6, peer, &address.sin6_addr), ==, 1);
	client_address((struct sockaddr *)&address, proxies, forwarded, text);
	return g_strdup(text);
}

static void only_our_proxies_say_who_asks(void)
{
	static const struct {
		const char *peer, *proxies, *forwarded, *client;
	} cases[] = {
		{"::ffff:192.0.2.7", "", NULL, "192.0.2.7"},
		{"2001:DB8::0:7", "", NULL, "2001:db8::7"},
		{"::ffff:192.0.2.7", "", "203.0.113.9", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.8", "203.0.113.9", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7", "203.0.113.9", "203.0.113.9"},
		{"::ffff:192.0.2.7", "::1 192.0.2.7", NULL, "192.0.2.7"},
		{"::1", "192.0.2.7  0:0::1", "203.0.113.9", "203.0.113.9"},
		/* What stands before the last was said by the client. */
		{"::1", "::1", "127.0.0.1, 10.0.0.1 ,203.0.113.9 ", "203.0.113.9"},
		{"::1", "::1", "2001:DB8::9", "2001:db8::9"},
		{"::1", "::1", "::ffff:203.0.113.9", "203.0.113.9"},
		{"::1", "::1", "unknown", "::1"},
		{"::1", "::1", "203.0.113.9:443", "::1"},
		{"::1", "::1", "203.0.113.9,", "::1"},
		{"::1", "::1", "", "::1"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *client =
			client_of(cases[i].peer, cases[i].proxies, cases[i].forwarded);

		g_assert_cmpstr(client, ==, cases[i].client);
	}
}

static void a_proxy_is_an_address(void)
{
	g_autofree char *none = client_first_wrong("127.0.0.1  ::1 "),
			*empty = client_first_wrong("");
	g_autofree char *name = client_first_wrong("127.0.0.1 proxy.example ::1 x");
	g_autofree char *network = client_first_wrong("10.0.0.0/8");

	g_assert_null(none);
	g_assert_null(empty);
	g_assert_cmpstr(name, ==, "proxy.example");
	g_assert_cmpstr(network, ==, "10.0.0.0/8");
}

#define TEST(name) g_test_add_func("/request/" #name, name)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	TEST(targets_are_taken_apart);
	TEST(parameters_have_a_bound);
	TEST(a_parameter_is_replaced_where_the_others_stay);
	TEST(types_are_liked_as_much_as_the_header_says);
	TEST(codings_are_liked_only_if_they_are_named);
	TEST(tags_are_compared_weakly);
	TEST(a_type_is_itself_whatever_its_parameters);
	TEST(only_our_proxies_say_who_asks);
	TEST(a_proxy_is_an_address);
	return g_test_run();
}
