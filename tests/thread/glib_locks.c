/* Tells ThreadSanitizer of GLib's locks: libglib is not built with it and makes them of futexes, so that all that they order
 * would look like a race. Part of every program of a build with HEADCOUNT_THREAD_SANITIZE. */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* The functions of libglib that these here stand in front of. */
#define REAL(name) ((__typeof__(&name))(guintptr)find(#name))

static void *find(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (function == NULL)
		__builtin_trap();
	return function;
}

void g_mutex_lock(GMutex *mutex)
{
	__tsan_mutex_pre_lock(mutex, 0);
	REAL(g_mutex_lock)(mutex);
	__tsan_mutex_post_lock(mutex, 0, 0);
}

void g_mutex_unlock(GMutex *mutex)
{
	__tsan_mutex_pre_unlock(mutex, 0);
	REAL(g_mutex_unlock)(mutex);
	__tsan_mutex_post_unlock(mutex, 0);
}

void g_mutex_clear(GMutex *mutex)
{
	__tsan_mutex_destroy(mutex, 0);
	REAL(g_mutex_clear)(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
	gboolean woken;

	__tsan_mutex_pre_unlock(mutex, 0);
	__tsan_mutex_post_unlock(mutex, 0);
	woken = REAL(g_cond_wait_until)(cond, mutex, end_time);
	__tsan_mutex_pre_lock(mutex, 0);
	__tsan_mutex_post_lock(mutex, 0, 0);
	return woken;
}

gboolean(g_once_init_enter)(volatile void *location)
{
	gboolean first = REAL(g_once_init_enter)(location);

	__tsan_acquire((void *)(guintptr)location);
	return first;
}

void(g_once_init_leave)(volatile void *location, gsize result)
{
	__tsan_release((void *)(guintptr)location);
	REAL(g_once_init_leave)(location, result);
}
