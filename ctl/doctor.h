/* What is looked at to find out what is wrong with a system, and what each look finds: never more than a sentence, and
 * a sentence about what to do. A check works with everything down. */
#ifndef HEADCOUNT_DOCTOR_H
#define HEADCOUNT_DOCTOR_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "command.h"

#define DOCTOR_CERTIFICATE_DAYS 21 /* that a certificate lasts, or it is time for another */

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_UNKNOWN, /* it could not be looked at; that is nothing wrong by itself */
	DOCTOR_WARNING,
	DOCTOR_ERROR,
};

struct doctor {
	struct session *
		session; /* its configuration is valid for checks that need one, its broker and store likewise */
	gboolean deep; /* take the time that it takes */

	/* Of the gateway, as the broker has retained it; NULL: nothing. */
	char *gateway_status;
	struct json *gateway_health;

	const char *check; /* the one under way */
	GArray *findings;
};

/* Says what was found. `remedy` is what to do, NULL if there is nothing to do. */
void doctor_say(struct doctor *doctor, enum doctor_level level, const char *remedy,
		const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Is the host this machine, by its name or address? */
bool doctor_is_here(const char *host);

typedef void doctor_check(struct doctor *doctor);

/* doctor_machine.c: what lies around the programs */
doctor_check doctor_secrets, doctor_disk, doctor_file_system, doctor_clock, doctor_open_files;

/* doctor_broker.c */
doctor_check doctor_tls, doctor_gateway, doctor_rights, doctor_broker_settings;

/* doctor_http.c */
doctor_check doctor_http;

/* doctor_database.c */
doctor_check doctor_database, doctor_integrity, doctor_counts, doctor_wal, doctor_rejected,
	doctor_dpu_clocks, doctor_retention;

#endif
