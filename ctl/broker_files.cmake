# Writes broker_files.c from CONF (mosquitto.conf) and ACL (config/mosquitto.acl): cmake -D CONF=… -D ACL=… -D OUTPUT=… -P

# The lines behind the one that matches `from`, up to the one that matches `to`, but for those that match `without`.
function(c_lines path from to without variable)
	file(STRINGS ${path} lines)
	set(inside FALSE)
	set(text "")
	foreach(line IN LISTS lines)
		if(line MATCHES "${to}")
			set(inside FALSE)
		elseif(line MATCHES "${from}")
			set(inside TRUE)
			set(found TRUE)
		endif()
		if(inside AND NOT line MATCHES "${without}")
			string(REPLACE "\\" "\\\\" line "${line}")
			string(REPLACE "\"" "\\\"" line "${line}")
			string(APPEND text "\t\"${line}\\n\"\n")
		endif()
	endforeach()
	if(NOT found)
		message(FATAL_ERROR "${path}: no line is like ${from}")
	endif()
	string(REGEX REPLACE "(\t\"\\\\n\"\n)+$" "" text "${text}") # empty lines at the end
	set(${variable} "${text}" PARENT_SCOPE)
endfunction()

c_lines(${CONF} "^# Acknowledged means kept" "^# Before listening beyond" "^(persistence_location|log_dest) " limits)
c_lines(${ACL} "^# Every named client is" "^$<>" "^$<>" acl)
file(WRITE ${OUTPUT} "/* Made from mosquitto.conf and config/mosquitto.acl by ctl/broker_files.cmake. */
#include \"broker_files.h\"

const char broker_limits[] =
${limits};

const char broker_acl[] =
${acl};
")
