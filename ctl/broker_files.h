/* What `headcount broker-setup` writes and mosquitto.conf and config/mosquitto.acl say, too: made from those two by
 * broker_files.cmake. */
#ifndef HEADCOUNT_BROKER_FILES_H
#define HEADCOUNT_BROKER_FILES_H

extern const char broker_limits
	[]; /* mosquitto.conf without its listeners, where it keeps its state and where it logs */
extern const char broker_acl[]; /* mosquitto.acl without what it allows those who have no name */

#endif
