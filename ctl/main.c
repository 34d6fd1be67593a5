/* headcount: the command line for the person who runs it. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

/* clang-format off */
#define CLEARS "An option with an empty text, such as --name '', clears what it sets."
#define TIMES "A TIME is 2026-11-23, '2026-11-23 08:15[:30]' (both UTC) or 2026-11-23T08:15:30+01:00."
#define CONFIG \
	"A later one wins: the default, the file, conf.d/*.conf beside it in the order of names, and\n" \
	"variables: HEADCOUNT_BROKER_HOST is host in [broker]. They are those of this shell; what a\n" \
	"unit has, shows systemctl show -p Environment headcount-gateway. What each key means is in\n" \
	"headcount-gateway --print-config."
#define RELOAD \
	"Passwords and rights hold from the next 'systemctl reload mosquitto' on. Do that while the gateway\n" \
	"is connected, or restart mosquitto instead: mosquitto 2.0, reloaded after a start before the\n" \
	"gateway has come back to it, denies the gateway what arrives until then."
#define PASSWORD \
	"With --password the broker lets it in as user DPU (see broker-setup), and only the password is\n" \
	"printed. mosquitto knows no password of a name with a colon: see broker-certificate.\n" RELOAD
#define PROVISION \
	"The file's header names its columns: dpu_id, and perhaps name, doorway (where it hangs from now\n" \
	"on) and orientation (1 or -1); others are ignored. Standard output, or the file of --out, gets a line\n" \
	"dpu_id,password for each DPU that had no password yet. What exists already is left as it is, so that\n" \
	"a file can be given again. Rows that are refused are reported and passed over.\n" RELOAD
#define DISPLAY \
	"A display reads space/# and gateway/+/status, and writes nothing. Each needs a name of its own: the\n" \
	"broker keeps one connection a name. The name 'homeassistant' has the rights of Home Assistant.\n" RELOAD
#define SETUP \
	"Writes the broker's configuration, access control list and passwords, a certificate authority and\n" \
	"certificates for the broker and for HTTPS into /etc/mosquitto/headcount ([broker] access_dir), and has\n" \
	"mosquitto (/etc/mosquitto/conf.d/headcount.conf) and headcount (/etc/headcount/conf.d/broker.conf and\n" \
	"https.conf) read them. Purging the Debian package removes all that.\n" \
	"Keys and passwords belong to the one user who reads them. What is there already is kept, unless\n" \
	"--renew says otherwise. Nothing listens beyond this machine without --listen."
#define CERTIFICATE \
	"USER.crt and USER.key, signed by the authority of broker-setup: for its --certificates-port, where\n" \
	"USER, such as a DPU's id, has the rights that it has by password elsewhere."
#define AUDIT "Commands that were refused are listed too, with their status (4xx), as HTTP has it."
#define REPLAY \
	"The file's header names its columns: timestamp or dpu_event_time, direction or count,\n" \
	"dpu_id, and perhaps seq; others are ignored. Rows that can't be read are reported and\n" \
	"passed over. Sending a file again is harmless: an event is stored once."
#define EXPORT_REGISTRY \
	"Spaces, doorways, DPUs, installations and people's resets, at one instant; the same registry is\n" \
	"the same bytes. " PROGRAM " import registry takes it back.\n" TIMES
#define EXPORT_CROSSINGS \
	"Rows of one installation after the other, in the order of time. " PROGRAM " replay takes the file\n" \
	"back, on a system that has the same registry: nothing is lost but when the crossings were received.\n" \
	"What is stored while it is being written may be missing.\n" TIMES
#define IMPORT_REGISTRY \
	"What exists alike is left as it is, and so is what the document does not name; what differs is\n" \
	"listed, and nothing is done, unless --update is given. All of it is tried beforehand, on an empty\n" \
	"database of its own, by the gateway's rules. What is refused after all (somebody else has changed\n" \
	"something meanwhile) is said; giving the command again does the rest."
#define DOCTOR \
	"A line a finding: ok, warning, error, or unknown for what can't be looked at from here; below it\n" \
	"what to do. Run it as somebody who may read the configuration and the database. The exit code is 1\n" \
	"if there is a warning or an error."
#define SEED_DATA \
	"What exists already is left as it is. The same --seed and --until give the same events,\n" \
	"and a later --until adds to them."
#define BACKUP \
	"The database is copied as it is at one moment, while the gateway goes on. FILE is there only\n" \
	"when the copy is whole and has been verified: its pages, references, and each count against\n" \
	"the crossings. Until then it is called FILE.partial, which may be removed if it is left over."
#define RESTORE \
	"Stop headcount-gateway before. FILE is copied and verified; nothing changes unless it is sound,\n" \
	"and the database of before stays beside, with the time in its name. An older program's backup is\n" \
	"brought up to date. Run it as the user who owns the database, or as root."
#define PRUNE \
	"What every hour came to stays: counts, entries and exits by whole hours in UTC are as before,\n" \
	"finer ones are gone. Events before the time that come later are rejected as too_old, and what\n" \
	"would change the past before it is refused. It can't be taken back: a backup comes first.\n" \
	"The gateway does it between the crossings that come in, and the file shrinks. Ctrl-C ends the\n" \
	"waiting, not the work."
#define SIMULATE \
	"People walk through the doorways of all DPUs that are installed now; with --dpus N, of N\n" \
	"DPUs sim-1 to sim-N, which are made with their doorways and spaces if they are missing.\n" \
	"Ends after --duration, or on Ctrl-C, with a summary. With --confirm nobody is lost even if\n" \
	"the broker or the gateway dies meanwhile: what is not confirmed is sent again."

static const struct command commands[] = {
	{"space add", "SPACE", 1, 1, registry_run,
		"Add a space", NULL, &change_space_add},
	{"space list", "", 0, 0, list_run,
		"List the spaces and how many people are there", NULL, &list_spaces},
	{"space set", "SPACE", 1, 1, registry_run,
		"Change a space", CLEARS, &change_space_set},
	{"space remove", "SPACE", 1, 1, registry_run,
		"Remove a space that nothing refers to", NULL, &change_space_remove},

	{"doorway add", "DOORWAY", 1, 1, registry_run,
		"Add a doorway", NULL, &change_doorway_add},
	{"doorway list", "", 0, 0, list_run,
		"List the doorways", NULL, &list_doorways},
	{"doorway set", "DOORWAY", 1, 1, registry_run,
		"Change a doorway", CLEARS, &change_doorway_set},
	{"doorway remove", "DOORWAY", 1, 1, registry_run,
		"Remove a doorway without installations", NULL, &change_doorway_remove},

	{"dpu add --csv", "FILE.csv", 1, 1, provision_run,
		"Add many DPUs and give each a password ('-': standard input)", PROVISION, NULL},
	{"dpu add", "DPU", 1, 1, registry_run,
		"Add a DPU", PASSWORD, &change_dpu_add},
	{"dpu list", "", 0, 0, list_run,
		"List the DPUs and where they hang", NULL, &list_dpus},
	{"dpu set", "DPU", 1, 1, registry_run,
		"Change a DPU", CLEARS "\n" PASSWORD, &change_dpu_set},
	{"dpu remove", "DPU", 1, 1, registry_run,
		"Remove a DPU without installations, and its password", RELOAD, &change_dpu_remove},

	{"installation add", "", 0, 0, registry_run,
		"Hang a DPU at a doorway: --dpu, --doorway and --from are needed", TIMES, &change_installation_add},
	{"installation list", "", 0, 0, list_run,
		"List the installations", NULL, &list_installations},
	{"installation set", "INSTALLATION", 1, 1, registry_run,
		"Correct an installation: what it has counted follows", CLEARS "\n" TIMES, &change_installation_set},
	{"installation remove", "INSTALLATION", 1, 1, registry_run,
		"Remove an installation: its events become rejected events", NULL, &change_installation_remove},

	{"move", "DPU DOORWAY", 2, 2, registry_run,
		"Move a DPU: ends its installation and begins one at the doorway", TIMES, &change_dpu_move},
	{"reset", "SPACE COUNT", 2, 2, registry_run,
		"Say how many people are, or were, in a space", TIMES, &change_reset_add},
	{"remove-reset", "SPACE TIME", 2, 2, registry_run,
		"Take such a word back", TIMES, &change_reset_remove},

	{"rejected list", "", 0, 0, rejected_list_run,
		"List events that could not be stored", NULL, NULL},
	{"rejected replay", "[ID]", 0, 1, rejected_replay_run,
		"Try to store them again", NULL, NULL},
	{"rejected remove", "[ID]", 0, 1, rejected_remove_run,
		"Remove them", NULL, NULL},

	{"broker-setup", "", 0, 0, broker_setup_run,
		"Set up mosquitto with passwords, rights and TLS", SETUP, NULL},
	{"broker-certificate", "USER", 1, 1, broker_certificate_run,
		"Make a certificate that a client shows to the broker", CERTIFICATE, NULL},
	{"display add", "NAME", 1, 1, display_add_run,
		"Let a display read counts by MQTT, and show its password", DISPLAY, NULL},
	{"display remove", "NAME", 1, 1, display_remove_run,
		"Take that back", RELOAD, NULL},

	{"token add", "NAME", 1, 1, token_add_run,
		"Make a token for the HTTP side, and show it", TIMES, NULL},
	{"token list", "", 0, 0, token_list_run,
		"List the tokens", NULL, NULL},
	{"token remove", "NAME", 1, 1, token_remove_run,
		"Take a token back: it is refused from now on", NULL, NULL},

	{"config", "", 0, 0, settings_run,
		"Show every key of the configuration, its value and who says so", CONFIG, NULL},
	{"audit", "", 0, 0, audit_run,
		"List who has changed what, when and from where, the newest first", AUDIT "\n" TIMES, NULL},

	{"doctor", "", 0, 0, doctor_run,
		"Find out what is wrong: everything is looked at, and nothing changed", DOCTOR, NULL},
	{"check", "[SPACE…]", 0, -1, check_run,
		"Compare what is derived with the facts, changing nothing", NULL, NULL},
	{"rebuild", "[SPACE…]", 0, -1, rebuild_run,
		"Derive everything again from the facts", NULL, NULL},

	{"export registry", "[FILE]", 0, 1, export_registry_run,
		"Write what is where as one JSON document (default: standard output)", EXPORT_REGISTRY, NULL},
	{"export crossings", "[FILE]", 0, 1, export_crossings_run,
		"Write the stored crossings as CSV (default: standard output)", EXPORT_CROSSINGS, NULL},
	{"import registry", "FILE", 1, 1, import_registry_run,
		"Make what is where as such a document has it", IMPORT_REGISTRY, NULL},
	{"import crossings", "FILE.csv", 1, 1, replay_run,
		"Another name of replay", REPLAY, NULL},

	{"backup", "FILE", 1, 1, backup_run,
		"Copy the database into a file, while it is in use, and verify that", BACKUP, NULL},
	{"restore", "FILE", 1, 1, restore_run,
		"Put a backup in the database's place; the gateway must be stopped", RESTORE, NULL},

	{"prune", "", 0, 0, prune_run,
		"Remove the crossings of long ago: --before is needed", PRUNE "\n" TIMES, NULL},

	{"replay", "FILE.csv", 1, 1, replay_run,
		"Send the crossings of a CSV file ('-': standard input)", REPLAY, NULL},
	{"seed-data", "", 0, 0, seed_data_run,
		"Make two office buildings and a month of people in them", SEED_DATA, NULL},
	{"simulate", "", 0, 0, simulate_run,
		"Let people walk through the doorways now", SIMULATE, NULL},
};
/* clang-format on */

struct options {
	char *config_path;
	gboolean json, version;
};

static const char exit_codes[] =
	"Exit codes:\n"
	"  0  done\n"
	"  1  refused or failed, or something was found wrong\n"
	"  2  unknown command, option or configuration: nothing was tried\n"
	"  3  the broker or the gateway does not answer";

static void add_command(GString *text, const struct command *command)
{
	g_string_append_printf(text, "  %-20s  %s\n", command->name, command->summary);
}

static char *describe(void)
{
	GString *text = g_string_new("Commands:\n");

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
		add_command(text, &commands[i]);
	g_string_append(text, "\n" PROGRAM " COMMAND --help tells more about each.\n\n");
	g_string_append(text, exit_codes);
	return g_string_free(text, FALSE);
}

/* Options up to the command's name; what comes behind is the command's. */
static bool read_options(int *argc, char ***argv, struct options *ret_options)
{
	const GOptionEntry entries[] = {
		OPTIONS_EVERYWHERE(&ret_options->config_path, &ret_options->json),
		{"version", 0, 0, G_OPTION_ARG_NONE, &ret_options->version,
		 "Print the version, and end", NULL},
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("COMMAND");
	g_autofree char *description = describe();
	g_autoptr(GError) error = NULL;

	g_set_prgname(PROGRAM);
	g_option_context_set_strict_posix(context, TRUE);
	g_option_context_set_summary(context, "Counts people in spaces: tells the gateway what is "
					      "where, and looks after what it stores.");
	g_option_context_set_description(context, description);
	g_option_context_add_main_entries(context, entries, NULL);
	if (g_option_context_parse(context, argc, argv, &error))
		return true;
	fprintf(stderr, PROGRAM ": %s (see --help)\n", error->message);
	return false;
}

/* Is the command's name what the arguments begin with? How many words it has then, else 0. */
static int words_of(const struct command *command, char **words)
{
	g_auto(GStrv) names = g_strsplit(command->name, " ", 0);
	int count = 0;

	while (names[count] != NULL) {
		if (words[count] == NULL || strcmp(names[count], words[count]) != 0)
			return 0;
		count++;
	}
	return count;
}

static bool is_of_object(const struct command *command, const char *object)
{
	size_t size = strlen(object);

	return strncmp(command->name, object, size) == 0 && command->name[size] == ' ';
}

/* What can be done to an object: to standard output if that was asked for. */
static enum exit_code explain(char **words)
{
	bool asked = words[1] != NULL &&
		     (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0);
	g_autoptr(GString) text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (is_of_object(&commands[i], words[0]))
			add_command(text, &commands[i]);
	}
	if (text->len == 0) {
		fprintf(stderr, PROGRAM ": there is no command '%s' (see --help)\n", words[0]);
		return EXIT_USAGE;
	}
	fprintf(asked ? stdout : stderr, "Expected one of\n%s", text->str);
	return asked ? EXIT_DONE : EXIT_USAGE;
}

static enum exit_code run(const struct options *options, int argc, char **argv)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		int words = words_of(&commands[i], argv + 1);
		struct session session = {
			.command = &commands[i],
			.argc = argc - words,
			.argv = argv + words,
			.json = options->json,
		};
		enum exit_code code;

		if (words == 0)
			continue;
		session.config_path = g_strdup(options->config_path);
		code = commands[i].run(&session);
		session_end(&session);
		return code;
	}
	return explain(argv + 1);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	enum exit_code code = EXIT_DONE;

	setlocale(LC_ALL, "");
	if (!read_options(&argc, &argv, &options)) {
		code = EXIT_USAGE;
	} else if (options.version) {
		puts(PROGRAM " " HEADCOUNT_VERSION);
	} else if (argc < 2) {
		fprintf(stderr, PROGRAM ": which command? (see --help)\n");
		code = EXIT_USAGE;
	} else {
		code = run(&options, argc, argv);
	}
	g_free(options.config_path);
	if (fflush(stdout) != 0 && code == EXIT_DONE) {
		perror(PROGRAM ": standard output");
		code = EXIT_REFUSED;
	}
	return (int)code;
}
