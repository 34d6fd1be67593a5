/* Backups: copies of the whole database, taken while it is in use, that are proven to be good before they get their
 * name; and putting one in the database's place. */
#ifndef HEADCOUNT_BACKUP_H
#define HEADCOUNT_BACKUP_H

#include "store.h"

/* What a copy is on the way through; `copying` and `checking` are called often. */
struct backup_watch {
	store_copied *copying;                                          /* bytes; false: stop */
	bool (*checking)(void *context, int64_t spaces, int64_t whole); /* false: stop */
	void (*differs)(void *context, const char *space, const char *sentence);
	void *context;
	bool quick; /* its pages are looked at, but not what they say */
};

/* Writes a backup of the database to `file`, which is there when it is whole, verified and on the disk, or not at all.
 * RESULT_CONFLICT: there is such a file, and it is not to be replaced; RESULT_BUSY: stopped, or another backup is being
 * written there; RESULT_FAILED: the copy is not sound, or could not be made. */
MUST_USE enum result backup_make(const char *database, const char *file, bool replace,
				 const struct backup_watch *watch, struct problem *reterr_problem);

/* What was put in the place of what. */
struct backup_restored {
	char *kept; /* where the database of before is now; NULL: there was none. g_free */
	instant last_event_time; /* the last that the backup knows of; INSTANT_NONE: none */
};

/* Puts a backup in the place of the database, which no gateway may hold: RESULT_BUSY. It is copied, brought up to date
 * and verified first; up to then nothing has changed. All spaces get revisions that are higher than any before, so that
 * whoever keeps the newer of two takes what is told from now on; of spaces that only the old database has, the retained
 * topics will be emptied. */
MUST_USE enum result backup_restore(const char *file, const char *database,
				    const struct backup_watch *watch,
				    struct backup_restored *ret_restored,
				    struct problem *reterr_problem);

#endif
