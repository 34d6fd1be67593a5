#include "premises.h"

#define STATUS_CONFLICT 409

static void count_answer(void *context, const char *subject, const struct answer *answer)
{
	struct premises *premises = context;

	if (answer->status < 400) {
		premises->made++;
	} else if (answer->status == STATUS_CONFLICT) {
		premises->existing++;
	} else {
		premises->refused++;
		session_complain_refused(premises->session, subject, answer);
	}
}

static GString *begin_command(const char *object)
{
	GString *command = g_string_new(NULL);

	json_begin_object(command, NULL);
	json_add_text(command, "action", "create");
	json_add_text(command, "object", object);
	json_begin_object(command, "values");
	return command;
}

static enum result send_command(struct premises *premises, GString *command, const char *object,
				const char *id)
{
	g_autofree char *subject = g_strdup_printf("%s %s", object, id);

	json_end_object(command);
	json_end_object(command);
	return broker_request(premises->broker, &(struct request){.topic = BROKER_COMMANDS,
								  .payload = command->str,
								  .size = command->len,
								  .expires = true,
								  .subject = subject,
								  .handler = count_answer,
								  .context = premises});
}

enum result premises_add_space(struct premises *premises, const char *id, const char *name,
			       const char *zone, const char *parent, int64_t capacity,
			       const char *daily_reset)
{
	g_autoptr(GString) command = begin_command("space");

	json_add_text(command, "id", id);
	json_add_text(command, "name", name);
	json_add_text(command, "timezone", zone);
	json_add_text(command, "parent", parent);
	if (capacity > 0)
		json_add_integer(command, "capacity", capacity);
	json_add_text(command, "daily_reset", daily_reset);
	return send_command(premises, command, "space", id);
}

enum result premises_add_doorway(struct premises *premises, const char *id, const char *name,
				 const char *space, const char *adjacent_space)
{
	g_autoptr(GString) command = begin_command("doorway");

	json_add_text(command, "id", id);
	json_add_text(command, "name", name);
	json_add_text(command, "space", space);
	json_add_text(command, "adjacent_space", adjacent_space);
	return send_command(premises, command, "doorway", id);
}

enum result premises_add_dpu(struct premises *premises, const char *id, const char *doorway,
			     instant from, int orientation)
{
	g_autoptr(GString) dpu = begin_command("dpu");
	g_autoptr(GString) installation = begin_command("installation");
	enum result result;

	json_add_text(dpu, "id", id);
	result = send_command(premises, dpu, "DPU", id);
	json_add_text(installation, "dpu", id);
	json_add_text(installation, "doorway", doorway);
	json_add_instant(installation, "started_at", from);
	json_add_integer(installation, "orientation", orientation);
	return result == RESULT_OK ? send_command(premises, installation, "installation of DPU", id)
				   : result;
}
