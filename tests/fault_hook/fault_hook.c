/* Trouble for the program that it is preloaded into (LD_PRELOAD), at the call that tests/trouble.py has armed: the program
 * is killed before, within or after it, the call fails, or the machine loses its power there. So the programs under test
 * need no hooks of their own.
 *
 * It stands between the program with its libraries and libc. What it is to do stands in a file that both sides have mapped
 * (FAULT_HOOK names it), so it can be armed again for the next life of the program. Nothing is done twice: it disarms
 * itself first. */
#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum point {
	POINT_WAL_WRITE,
	POINT_WAL_SYNC,
	POINT_DB_WRITE,
	POINT_DB_SYNC,
	POINT_READ,        /* of the database or its WAL */
	POINT_ACKNOWLEDGE, /* a write to the broker while all that was written to the WAL is on disk */
	POINT_ALLOCATE,
	POINT_COUNT
};

enum action {
	ACTION_NONE,
	ACTION_KILL,  /* before the call */
	ACTION_TEAR,  /* after a part of the write */
	ACTION_AFTER, /* killed after the call */
	ACTION_FAIL, /* the call does nothing and fails; a sync loses what it was to save, as Linux does */
	ACTION_POWER, /* what is not synced is lost, kept or torn at random, and the program is killed */
};

/* The layout is in trouble.py, too. */
struct control {
	_Atomic uint32_t action;
	uint32_t points;           /* bits */
	_Atomic int32_t countdown; /* to the call meant, 1: the next */
	_Atomic int32_t times;     /* how many calls fail */
	int32_t error;             /* errno then */
	uint32_t seed;
	uint32_t keeps_record; /* of what is not synced yet */
	_Atomic uint32_t fired;
	char library
		[64]; /* "": who calls doesn't matter; else the name of the library that allocates */
};

static struct control nothing;
static struct control *control = &nothing;
static bool all_synced; /* what was written to the WAL */

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);

/* What the linker takes for libc's. */
ssize_t our_pwrite(int descriptor, const void *bytes, size_t size, off_t at) __asm__("pwrite");
ssize_t our_pwrite64(int descriptor, const void *bytes, size_t size, off_t at) __asm__("pwrite64");
ssize_t our_pread(int descriptor, void *bytes, size_t size, off_t at) __asm__("pread");
ssize_t our_pread64(int descriptor, void *bytes, size_t size, off_t at) __asm__("pread64");
int our_fdatasync(int descriptor) __asm__("fdatasync");
int our_fsync(int descriptor) __asm__("fsync");
ssize_t our_write(int descriptor, const void *bytes, size_t size) __asm__("write");
ssize_t our_send(int descriptor, const void *bytes, size_t size, int flags) __asm__("send");
void *our_malloc(size_t size) __asm__("malloc");
void *our_realloc(void *bytes, size_t size) __asm__("realloc");
void *our_calloc(size_t count, size_t size) __asm__("calloc");

#define LOOK_UP(name) (*(void **)(&real_##name) = dlsym(RTLD_NEXT, #name))

static void look_up_memory(void)
{
	LOOK_UP(malloc);
	LOOK_UP(realloc);
	LOOK_UP(calloc);
}

static void look_up_files(void)
{
	LOOK_UP(write);
	LOOK_UP(send);
	LOOK_UP(pwrite);
	LOOK_UP(pread);
	LOOK_UP(fdatasync);
	LOOK_UP(fsync);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_HOOK");
	int file;

	look_up_memory();
	look_up_files();
	if (path == NULL)
		return;
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		abort();
	control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (control == MAP_FAILED)
		abort();
	close(file);
}

static void die(void)
{
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

/* Which file a descriptor is */

enum kind { KIND_OTHER, KIND_WAL, KIND_DB, KIND_BROKER };

static bool ends_in(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

#define LINK_SIZE 32

static void print_link(char *to, int descriptor)
{
	char digits[12];
	size_t count = 0;

	to = stpncpy(to, "/proc/self/fd/", LINK_SIZE);
	do {
		digits[count++] = (char)('0' + descriptor % 10);
		descriptor /= 10;
	} while (descriptor > 0);
	while (count > 0)
		*to++ = digits[--count];
	*to = '\0';
}

static bool is_tcp_client(int descriptor)
{
	struct sockaddr_in peer = {0};
	socklen_t size = sizeof peer;

	return getpeername(descriptor, (struct sockaddr *)&peer, &size) == 0 &&
	       peer.sin_family == AF_INET;
}

static enum kind kind_of(int descriptor)
{
	char link[LINK_SIZE], path[4096];
	int saved = errno;
	ssize_t size;
	enum kind kind = KIND_OTHER;

	print_link(link, descriptor);
	size = readlink(link, path, sizeof path - 1);
	if (size > 0) {
		path[size] = '\0';
		if (ends_in(path, ".db-wal"))
			kind = KIND_WAL;
		else if (ends_in(path, ".db"))
			kind = KIND_DB;
		else if (strncmp(path, "socket:", 7) == 0 && is_tcp_client(descriptor))
			kind = KIND_BROKER;
	}
	errno = saved;
	return kind;
}

/* Is it now? */

static enum action due(enum point point)
{
	uint32_t action = atomic_load(&control->action);

	if (action == ACTION_NONE || (control->points & (1U << point)) == 0)
		return ACTION_NONE;
	if (atomic_fetch_sub(&control->countdown, 1) > 1)
		return ACTION_NONE;
	if (action != ACTION_FAIL || atomic_fetch_sub(&control->times, 1) <= 1)
		atomic_store(&control->action, ACTION_NONE);
	atomic_fetch_add(&control->fired, 1);
	return (enum action)action;
}

static uint32_t roll(void)
{
	control->seed = control->seed * 1664525U + 1013904223U;
	return control->seed >> 8;
}

/* The record of what is not synced yet, and its loss */

#define SECTOR 512 /* a disk writes it whole or not at all */

struct record {
	struct record *before;
	int descriptor;
	enum kind kind;
	off_t at, file_size; /* before the write */
	size_t size;
	char old[];
};

static struct record *records;

static void note(int descriptor, enum kind kind, size_t size, off_t at)
{
	struct record *record;
	struct stat status;

	if (!control->keeps_record || fstat(descriptor, &status) < 0)
		return;
	record = real_calloc(1, sizeof *record + size);
	*record = (struct record){records, descriptor, kind, at, status.st_size, size};
	if (real_pread(descriptor, record->old, size, at) < 0)
		abort();
	records = record;
}

static void forget(enum kind kind)
{
	struct record **place = &records;

	while (*place != NULL) {
		struct record *record = *place;

		if (record->kind != kind) {
			place = &record->before;
			continue;
		}
		*place = record->before;
		free(record);
	}
}

static void undo(const struct record *record, size_t from, size_t to)
{
	if (real_pwrite(record->descriptor, record->old + from, to - from,
			record->at + (off_t)from) < 0)
		abort();
}

static void undo_sectors(const struct record *record)
{
	for (size_t from = 0; from < record->size; from += SECTOR) {
		size_t to = from + SECTOR < record->size ? from + SECTOR : record->size;

		if (roll() % 2)
			undo(record, from, to);
	}
}

/* Newest first, so that in the end each byte is as one of the writes left it, or as it was before them. */
static void lose(enum kind kind)
{
	for (const struct record *record = records; record != NULL; record = record->before) {
		off_t end = record->at + (off_t)record->size;
		uint32_t fate = roll() % 3;
		struct stat status;

		if (record->kind != kind || fate == 0)
			continue;
		if (fate == 1)
			undo_sectors(record);
		else
			undo(record, 0, record->size);
		if (fate == 2 && end > record->file_size &&
		    fstat(record->descriptor, &status) == 0 && status.st_size == end &&
		    ftruncate(record->descriptor, record->file_size) < 0)
			abort();
	}
}

static void lose_power(void)
{
	lose(KIND_WAL);
	lose(KIND_DB);
	die();
}

/* Files */

static const enum point write_points[] = {
	[KIND_WAL] = POINT_WAL_WRITE,
	[KIND_DB] = POINT_DB_WRITE,
};
static const enum point sync_points[] = {
	[KIND_WAL] = POINT_WAL_SYNC,
	[KIND_DB] = POINT_DB_SYNC,
};

static bool is_of_database(enum kind kind)
{
	return kind == KIND_WAL || kind == KIND_DB;
}

ssize_t our_pwrite(int descriptor, const void *bytes, size_t size, off_t at)
{
	enum kind kind = kind_of(descriptor);
	enum action action = is_of_database(kind) ? due(write_points[kind]) : ACTION_NONE;
	ssize_t written;

	if (kind == KIND_WAL)
		all_synced = false;
	if (action == ACTION_KILL)
		die();
	if (action == ACTION_FAIL) {
		errno = control->error;
		return -1;
	}
	if (is_of_database(kind))
		note(descriptor, kind, size, at);
	written = real_pwrite(descriptor, bytes, action == ACTION_TEAR ? roll() % size : size, at);
	if (action == ACTION_POWER)
		lose_power();
	if (action != ACTION_NONE)
		die();
	return written;
}

ssize_t our_pwrite64(int descriptor, const void *bytes, size_t size, off_t at)
{
	return our_pwrite(descriptor, bytes, size, at);
}

ssize_t our_pread(int descriptor, void *bytes, size_t size, off_t at)
{
	enum action action = ACTION_NONE;

	if (atomic_load(&control->action) != ACTION_NONE && is_of_database(kind_of(descriptor)))
		action = due(POINT_READ);
	if (action == ACTION_FAIL) {
		errno = control->error;
		return -1;
	}
	if (action != ACTION_NONE)
		die();
	return real_pread(descriptor, bytes, size, at);
}

ssize_t our_pread64(int descriptor, void *bytes, size_t size, off_t at)
{
	return our_pread(descriptor, bytes, size, at);
}

static int sync_file(int descriptor, int (*sync)(int))
{
	enum kind kind = kind_of(descriptor);
	enum action action = is_of_database(kind) ? due(sync_points[kind]) : ACTION_NONE;
	int result;

	if (action == ACTION_KILL)
		die();
	if (action == ACTION_POWER)
		lose_power();
	if (action == ACTION_FAIL) {
		lose(kind);
		forget(kind);
		errno = control->error;
		return -1;
	}
	result = sync(descriptor);
	if (result == 0 && is_of_database(kind))
		forget(kind);
	if (kind == KIND_WAL)
		all_synced = result == 0;
	if (action != ACTION_NONE)
		die();
	return result;
}

int our_fdatasync(int descriptor)
{
	return sync_file(descriptor, real_fdatasync);
}

int our_fsync(int descriptor)
{
	return sync_file(descriptor, real_fsync);
}

/* The broker */

static bool meets_broker(int descriptor)
{
	return all_synced && atomic_load(&control->action) != ACTION_NONE &&
	       kind_of(descriptor) == KIND_BROKER;
}

ssize_t our_write(int descriptor, const void *bytes, size_t size)
{
	enum action action = meets_broker(descriptor) ? due(POINT_ACKNOWLEDGE) : ACTION_NONE;
	ssize_t written;

	if (action == ACTION_KILL)
		die();
	written = real_write(descriptor, bytes, action == ACTION_TEAR ? roll() % size : size);
	if (action != ACTION_NONE)
		die();
	return written;
}

ssize_t our_send(int descriptor, const void *bytes, size_t size, int flags)
{
	enum action action = meets_broker(descriptor) ? due(POINT_ACKNOWLEDGE) : ACTION_NONE;
	ssize_t sent;

	if (action == ACTION_KILL)
		die();
	sent = real_send(descriptor, bytes, action == ACTION_TEAR ? roll() % size : size, flags);
	if (action != ACTION_NONE)
		die();
	return sent;
}

/* Memory */

struct place {
	const void *address;
	bool found;
};

static int look_at_object(struct dl_phdr_info *object, size_t size, void *context)
{
	struct place *place = context;
	uintptr_t address = (uintptr_t)place->address;

	(void)size;
	if (strstr(object->dlpi_name, control->library) == NULL)
		return 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		uintptr_t begin = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr;

		place->found |= object->dlpi_phdr[i].p_type == PT_LOAD && address >= begin &&
				address < begin + object->dlpi_phdr[i].p_memsz;
	}
	return 0;
}

static bool is_called_by_library(const void *caller)
{
	struct place place = {caller, false};

	if (control->library[0] == '\0')
		return true;
	dl_iterate_phdr(look_at_object, &place);
	return place.found;
}

static bool is_out_of_memory(const void *caller)
{
	/* Looking may allocate, too. The model spares a call that AddressSanitizer has not yet got ready. */
	static __thread __attribute__((tls_model("initial-exec"))) bool looking;
	bool out;

	if (looking || atomic_load(&control->action) != ACTION_FAIL ||
	    (control->points & (1U << POINT_ALLOCATE)) == 0)
		return false;
	looking = true;
	out = is_called_by_library(caller) && due(POINT_ALLOCATE) == ACTION_FAIL;
	looking = false;
	if (out)
		errno = ENOMEM;
	return out;
}

void *our_malloc(size_t size)
{
	if (real_malloc == NULL)
		look_up_memory();
	return is_out_of_memory(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

void *our_realloc(void *bytes, size_t size)
{
	if (real_realloc == NULL)
		look_up_memory();
	return is_out_of_memory(__builtin_return_address(0)) ? NULL : real_realloc(bytes, size);
}

void *our_calloc(size_t count, size_t size)
{
	if (real_calloc == NULL)
		look_up_memory();
	return is_out_of_memory(__builtin_return_address(0)) ? NULL : real_calloc(count, size);
}
