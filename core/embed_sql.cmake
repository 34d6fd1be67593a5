# Writes queries.h (enum sql) and queries.c (their texts, the schema, the migrations) from the SQL files.
# In queries.sql each statement stands below a line "-- NAME"; other comments inside it are kept.

function(c_string text variable)
	string(REPLACE "\\" "\\\\" text "${text}")
	string(REPLACE "\"" "\\\"" text "${text}")
	string(REPLACE "\t" " " text "${text}")
	string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
	set(${variable} "\t\"${text}\"" PARENT_SCOPE)
endfunction()

# A semicolon would split a CMake list, and so would an unbalanced bracket: neither is one here.
function(read_sql path variable)
	file(READ ${path} text)
	string(REPLACE ";" "<semicolon>" text "${text}")
	string(REPLACE "[" "<open>" text "${text}")
	string(REPLACE "]" "<close>" text "${text}")
	set(${variable} "${text}" PARENT_SCOPE)
endfunction()

read_sql(${QUERIES} queries)
string(REGEX MATCHALL "(^|\n)-- [A-Z][A-Z_0-9]+\n" heads "${queries}")
set(names "")
set(texts "")
set(rest "${queries}")
foreach(head IN LISTS heads)
	string(REGEX REPLACE "\n*-- ([A-Z_0-9]+)\n" "\\1" name "${head}")
	string(FIND "${rest}" "-- ${name}\n" at)
	string(LENGTH "-- ${name}\n" length)
	math(EXPR at "${at} + ${length}")
	string(SUBSTRING "${rest}" ${at} -1 rest)
	string(REGEX MATCH "^(.*)$" body "${rest}")
	string(REGEX REPLACE "<semicolon>\n.*" "" body "${body}")
	c_string("${body}" body)
	string(APPEND names "\tSQL_${name},\n")
	string(APPEND texts "\t[SQL_${name}] = {\"${name}\",\n${body}},\n")
endforeach()

read_sql(${SCHEMA} schema)
c_string("${schema}" schema)
file(GLOB migrations ${MIGRATIONS_DIR}/*.sql)
list(SORT migrations)
set(steps "")
set(version 1)
foreach(migration IN LISTS migrations)
	read_sql(${migration} step)
	c_string("${step}" step)
	string(APPEND steps "${step},\n")
	math(EXPR version "${version} + 1")
endforeach()

set(header "/* Made from core/queries.sql by core/embed_sql.cmake. */
#ifndef HEADCOUNT_QUERIES_H
#define HEADCOUNT_QUERIES_H

#define SCHEMA_VERSION ${version} /* 1 and the migrations */

enum sql {
${names}\tSQL_COUNT
};

struct sql_text {
	const char *name, *text;
};
extern const struct sql_text sql_texts[SQL_COUNT];
extern const char *const sql_schema;
extern const char *const sql_migrations[]; /* [n] leads from version n to n + 1; from 1 on */

#endif
")
set(source "/* Made from core/queries.sql, db_schema.sql and core/migrations by core/embed_sql.cmake. */
#include \"queries.h\"

const struct sql_text sql_texts[SQL_COUNT] = {
${texts}};

const char *const sql_schema =
${schema};

const char *const sql_migrations[] = {
\t0,
${steps}};
")
foreach(part header source)
	string(REPLACE "<semicolon>" ";" ${part} "${${part}}")
	string(REPLACE "<open>" "[" ${part} "${${part}}")
	string(REPLACE "<close>" "]" ${part} "${${part}}")
endforeach()
file(WRITE ${OUTPUT_DIR}/queries.h "${header}")
file(WRITE ${OUTPUT_DIR}/queries.c "${source}")
