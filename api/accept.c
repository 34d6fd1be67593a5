#include "accept.h"

#include <glib.h>
#include <stddef.h>
#include <string.h>

/* A list is split at its commas. A quoted string never has one in the headers that are read here. */
static char **items_of(const char *header)
{
	char **items = g_strsplit(header, ",", -1);

	for (char **item = items; *item != NULL; item++)
		g_strstrip(*item);
	return items;
}

/* "text/csv; q=0.8": cuts the parameters off and gives their q, as thousandths. */
static int take_quality(char *item)
{
	g_auto(GStrv) parts = g_strsplit(item, ";", -1);
	double quality = 1;

	item[strcspn(item, "; \t")] = '\0';
	for (char **part = parts; *part != NULL; part++) {
		const char *parameter = g_strstrip(*part);

		if (g_ascii_strncasecmp(parameter, "q=", 2) == 0)
			quality = g_ascii_strtod(parameter + 2, NULL);
	}
	return quality >= 0 ? (int)(MIN(quality, 1) * 1000 + 0.5) : 0; /* a NaN is not */
}

/* How closely a range such as "text/" + "*" fits a type, whatever its parameters: 0 not at all, 3 exactly. */
static int fit(const char *range, const char *type)
{
	size_t size = strcspn(type, ";"), major = strcspn(type, "/");

	if (strlen(range) == size && g_ascii_strncasecmp(range, type, size) == 0)
		return 3;
	if (major < size && g_ascii_strncasecmp(range, type, major + 1) == 0 &&
	    strcmp(range + major + 1, "*") == 0)
		return 2;
	return strcmp(range, "*/*") == 0 || strcmp(range, "*") == 0;
}

/* The closest range decides: RFC 9110, 12.5.1. */
static int quality_of(const char *header, const char *type)
{
	g_auto(GStrv) items = items_of(header);
	int closest = 0, quality = 0;

	for (char **item = items; *item != NULL; item++) {
		int item_quality = take_quality(*item);
		int item_fit = fit(*item, type);

		if (item_fit > closest) {
			closest = item_fit;
			quality = item_quality;
		}
	}
	return quality;
}

int accept_quality(const char *header, const char *type)
{
	return header == NULL || *header == '\0' ? 1000 : quality_of(header, type);
}

int accept_coding_quality(const char *header, const char *coding)
{
	return header == NULL ? 0 : quality_of(header, coding);
}

bool accept_is_type(const char *content_type, const char *type)
{
	size_t size = strcspn(content_type, "; \t");

	return size == strlen(type) && g_ascii_strncasecmp(content_type, type, size) == 0;
}

bool accept_names_tag(const char *header, const char *tag)
{
	g_auto(GStrv) items = header != NULL ? items_of(header) : NULL;

	if (items == NULL)
		return false;
	for (char **item = items; *item != NULL; item++) {
		const char *named = *item;

		if (strcmp(named, "*") == 0)
			return true;
		if (strncmp(named, "W/", 2) == 0)
			named += 2;
		if (strcmp(named, strncmp(tag, "W/", 2) == 0 ? tag + 2 : tag) == 0)
			return true;
	}
	return false;
}
