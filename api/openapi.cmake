# Makes openapi.c, the contract as the program serves it, for add_executable(headcount-api … ${OPENAPI_SOURCE}).
set(OPENAPI_SOURCE ${CMAKE_CURRENT_BINARY_DIR}/openapi.c)
add_custom_command(
	OUTPUT ${OPENAPI_SOURCE}
	COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/openapi.py
		${CMAKE_CURRENT_LIST_DIR}/openapi.yaml ${OPENAPI_SOURCE}
	DEPENDS ${CMAKE_CURRENT_LIST_DIR}/openapi.py ${CMAKE_CURRENT_LIST_DIR}/openapi.yaml
	COMMENT "Embedding the contract"
	VERBATIM)
# Longer than the 4095 characters that every C compiler must take; ours take it.
set_source_files_properties(${OPENAPI_SOURCE} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
