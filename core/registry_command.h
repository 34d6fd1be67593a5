/* A registry command under way, and the handlers of its actions: one file an object. Inside core/registry*.c. */
#ifndef HEADCOUNT_REGISTRY_COMMAND_H
#define HEADCOUNT_REGISTRY_COMMAND_H

#include <glib.h>

#include "json.h"
#include "registry.h"
#include "result.h"
#include "store.h"

struct command {
	struct store *store;
	const struct registry_limits *limits;
	const char *id;            /* "" if the command has none */
	const struct json *values; /* NULL if the command has none */
	GString *body;             /* the answer's */
	struct problem *problem;   /* set with any result but RESULT_OK */
};

/* Carries an action out within a part of a transaction: what is not RESULT_OK is undone. */
typedef enum result command_handler(struct command *command);

/* What each object is made of, for commands and for whoever shows it. */
struct registry_object {
	const char *name;
	const struct member *members;
	size_t member_count;
	size_t row_size;
	const void *blank; /* a row that nothing was said of yet */
	enum result (*load)(struct store *store, const char *id, void *ret_row);
};
extern const struct registry_object registry_space, registry_doorway, registry_dpu,
	registry_installation, registry_reset;

/* Loads the command's object into `row`; a problem if there is none. */
MUST_USE enum result command_load(struct command *command, const struct registry_object *object,
				  void *row);
/* Reads the command's values into `row`. */
MUST_USE enum result command_read(struct command *command, const struct registry_object *object,
				  bool creating, void *row);
/* Writes the object, as it is now in the store, into the body. */
MUST_USE enum result command_answer(struct command *command, const struct registry_object *object,
				    const char *id);

command_handler space_create, space_update, space_remove, space_rebuild;
command_handler doorway_create, doorway_update, doorway_remove;
command_handler dpu_create, dpu_update, dpu_remove, dpu_move;
command_handler installation_create, installation_update, installation_remove;
command_handler reset_create, reset_remove;
command_handler rejected_event_replay, rejected_event_remove;
command_handler history_prune;

/* RESULT_CONFLICT if a change that reaches back to `when` would change what was before the horizon (retention.h). */
MUST_USE enum result command_keep_past(struct command *command, const char *member, instant when);

/* The key of a row by its operator's id; 0 if there is none. `name` is one of SQL_SPACE_KEY, SQL_DOORWAY_KEY and
 * SQL_DPU_KEY. */
int64_t registry_key(struct store *store, enum sql name, const char *id);

/* As registry_key for a member of the command's values that refers to another object: a RESULT_INVALID that
 * names it if that does not exist. "" is key 0. */
MUST_USE enum result command_refer(struct command *command, enum sql name, const char *member,
				   const char *id, int64_t *ret_key);

/* Derives a doorway's rows of doorway_effect again; true if they changed. */
bool doorway_derive_effects(struct store *store, int64_t doorway);

/* RESULT_CONFLICT if a change of a doorway's effects would change what was before the horizon: a DPU hung there. */
MUST_USE enum result doorway_keep_past(struct command *command, const char *member,
				       int64_t doorway);

/* The spaces whose counts a set of doorways changes: collected before and after something is changed, then derived
 * again or given a new revision. */
typedef struct affected Affected; /* for g_autoptr */
struct affected *affected_new(struct store *store);
void affected_add_doorway(struct affected *affected, int64_t doorway);
void affected_derive(struct affected *affected, instant from, instant until);
void affected_touch(struct affected *affected);
void affected_free(struct affected *affected);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Affected, affected_free)

#endif
