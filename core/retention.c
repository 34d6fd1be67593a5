#include "retention.h"

struct retention retention_read(struct store *store)
{
	struct query *query = store_query(store, SQL_META_RETENTION);
	struct retention retention = {0};

	if (query_next(query))
		retention = (struct retention){
			.horizon = query_integer(query, 0),
			.settled = query_integer(query, 1),
			.pruned = query_integer(query, 2),
		};
	query_end(query);
	return retention;
}

instant retention_horizon(struct store *store)
{
	return retention_read(store).horizon;
}

enum result retention_move(struct store *store, instant horizon, instant now,
			   struct problem *reterr_problem)
{
	instant before = retention_horizon(store);
	char text[INSTANT_TEXT_SIZE];
	struct query *query;

	if (horizon % INSTANT_HOUR != 0)
		return problem_set(
			reterr_problem, RESULT_INVALID, "before",
			"expected a whole hour in UTC: before it, hours are all that is kept");
	if (horizon > now)
		return problem_set(reterr_problem, RESULT_INVALID, "before",
				   "it lies in the future");
	if (horizon < before) {
		instant_format(before, text);
		return problem_set(reterr_problem, RESULT_CONFLICT, "before",
				   "the crossings before %s are gone already", text);
	}
	query = store_query(store, SQL_META_SET_RETENTION_HORIZON);
	query_bind_integer(query, 1, horizon);
	query_run(query);
	return RESULT_OK;
}
