/* All commands, for the table in main.c: what runs them, and what tells those apart that share it. */
#ifndef HEADCOUNT_COMMANDS_H
#define HEADCOUNT_COMMANDS_H

#include "command.h"

/* Changes of the registry: registry.c */
command_run registry_run;
extern const struct registry_change change_space_add, change_space_set, change_space_remove;
extern const struct registry_change change_doorway_add, change_doorway_set, change_doorway_remove;
extern const struct registry_change change_dpu_add, change_dpu_set, change_dpu_remove,
	change_dpu_move;
extern const struct registry_change change_installation_add, change_installation_set,
	change_installation_remove;
extern const struct registry_change change_reset_add, change_reset_remove;

/* Lists: list.c */
command_run list_run;
extern const struct list list_spaces, list_doorways, list_dpus, list_installations;

/* A file each */
command_run rejected_list_run, rejected_replay_run, rejected_remove_run;
command_run broker_setup_run, broker_certificate_run;
command_run display_add_run, display_remove_run, provision_run;
command_run token_add_run, token_list_run, token_remove_run;
command_run audit_run;
command_run rebuild_run, check_run;
command_run settings_run;
command_run export_registry_run, export_crossings_run, import_registry_run;
command_run doctor_run;
command_run backup_run, restore_run, prune_run;
command_run replay_run, simulate_run, seed_data_run;

#endif
