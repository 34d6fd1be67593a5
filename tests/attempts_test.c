/* Tokens that are not known: how many an address may send, and who is not hit by that. The clock is the test's. */
#include "attempts.h"

#include <glib.h>
#include <stdio.h>

#define SECOND INT64_C(1000000)
#define START (100 * SECOND)

static struct attempts *make(int64_t per_minute)
{
	return attempts_new(per_minute);
}

static void fail_often(struct attempts *attempts, const char *address, int times, int64_t now_us)
{
	for (int i = 0; i < times; i++)
		g_assert_cmpint(attempts_fail(attempts, address, now_us), ==, 0);
}

static void so_many_a_minute_and_then_it_waits(void)
{
	struct attempts *attempts = make(6);

	fail_often(attempts, "192.0.2.7", 6, START);
	g_assert_cmpint(attempts_fail(attempts, "192.0.2.7", START), ==, 11);
	/* Asking again makes it no longer. */
	g_assert_cmpint(attempts_fail(attempts, "192.0.2.7", START + 4 * SECOND), ==, 7);
	g_assert_cmpint(attempts_fail(attempts, "192.0.2.7", START + 10 * SECOND), ==, 0);
	g_assert_cmpint(attempts_fail(attempts, "192.0.2.7", START + 10 * SECOND), ==, 11);
	/* After a minute of silence all is forgiven. */
	fail_often(attempts, "192.0.2.7", 6, START + 70 * SECOND);
	g_assert_cmpint(attempts_fail(attempts, "192.0.2.7", START + 70 * SECOND), >, 0);
	g_assert_cmpint(attempts_total(attempts), ==, 17);
	attempts_free(attempts);
}

static void who_waits_does_so_until_it_is_said(void)
{
	for (int64_t per_minute = 1; per_minute < 100; per_minute += 7) {
		struct attempts *attempts = make(per_minute);
		int64_t wait_s;

		fail_often(attempts, "192.0.2.7", (int)per_minute, START);
		wait_s = attempts_fail(attempts, "192.0.2.7", START);
		g_assert_cmpint(wait_s, >, 0);
		g_assert_cmpint(attempts_fail(attempts, "192.0.2.7", START + wait_s * SECOND), ==,
				0);
		attempts_free(attempts);
	}
}

static void an_address_pays_for_itself_alone(void)
{
	struct attempts *attempts = make(1);

	fail_often(attempts, "192.0.2.7", 1, START);
	g_assert_cmpint(attempts_fail(attempts, "192.0.2.7", START), >, 0);
	fail_often(attempts, "192.0.2.8", 1, START);
	fail_often(attempts, "2001:db8:1:2::7", 1, START);
	/* Of IPv6, a customer has all that follows the first half. */
	g_assert_cmpint(attempts_fail(attempts, "2001:db8:1:2:ffff::1", START), >, 0);
	fail_often(attempts, "2001:db8:1:3::7", 1, START);
	attempts_free(attempts);
}

static void whoever_comes_the_memory_stays(void)
{
	struct attempts *attempts = make(1);
	int waiting = 0;

	/* Far more than there are places: none is refused for another's sake. */
	for (int i = 0; i < 200000; i++) {
		char address[32];

		snprintf(address, sizeof address, "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
		fail_often(attempts, address, 1, START + i);
	}
	for (int i = 200000 - 1000; i < 200000; i++) {
		char address[32];

		snprintf(address, sizeof address, "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
		waiting += attempts_fail(attempts, address, START + 200000) > 0;
	}
	/* The newest are those that are remembered, but for rows that more than four of them share. */
	g_assert_cmpint(waiting, >, 950);
	g_assert_cmpint(attempts_total(attempts), ==, 201000);
	attempts_free(attempts);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/attempts/so_many_a_minute_and_then_it_waits",
			so_many_a_minute_and_then_it_waits);
	g_test_add_func("/attempts/who_waits_does_so_until_it_is_said",
			who_waits_does_so_until_it_is_said);
	g_test_add_func("/attempts/an_address_pays_for_itself_alone",
			an_address_pays_for_itself_alone);
	g_test_add_func("/attempts/whoever_comes_the_memory_stays", whoever_comes_the_memory_stays);
	return g_test_run();
}
