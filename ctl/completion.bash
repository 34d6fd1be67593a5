# shellcheck shell=bash
# bash completion of headcount. What there is to complete it asks the program: --help for commands and options, the lists
# for ids where a usage line or an option calls its value SPACE, DOORWAY, DPU or INSTALLATION.

_headcount_commands() {
	"$1" --help 2>/dev/null | sed -nE '/^Commands:/,/^$/s/^  ([a-z-]+( [a-z-]+)?)  .*/\1/p'
}

# _headcount_options PROGRAM COMMAND…: with "=" where a value follows.
_headcount_options() {
	"$@" --help 2>/dev/null | sed -nE 's/^  (-., )?(--[a-z-]+=?).*/\2/p'
}

# _headcount_value OPTION PROGRAM COMMAND…: what its --help calls the option's value.
_headcount_value() {
	[[ $1 =~ ^--?[a-z-]+$ ]] || return 0
	"${@:2}" --help 2>/dev/null | sed -nE "s/^  ($1, --[a-z-]+|(-., )?$1)=([^ ]+) .*/\3/p"
}

# _headcount_argument N PROGRAM COMMAND…: what its --help calls the Nth argument; the last one may be repeated.
_headcount_argument() {
	local usage
	read -ra usage < <("${@:2}" --help 2>/dev/null | sed -nE 's/^  headcount .*\[OPTION…\] ?//p')
	((${#usage[@]} == 0)) || echo "${usage[$1 < ${#usage[@]} ? $1 - 1 : -1]}"
}

# _headcount_complete WORD CANDIDATES: bash replaces only what follows the last colon of a word.
_headcount_complete() {
	local colon=''
	[[ $COMP_WORDBREAKS != *:* ]] || colon=${1%"${1##*:}"}
	mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
	COMPREPLY=("${COMPREPLY[@]#"$colon"}")
}

# _headcount_complete_value WORD NAME PROGRAM
_headcount_complete_value() {
	local name=${2//[^A-Za-z.]/}
	case $name in
	SPACE | DOORWAY | DPU | INSTALLATION)
		_headcount_complete "$1" "$("$3" "${name,,}" list 2>/dev/null | sed 1d | cut -d' ' -f1)"
		;;
	FILE* | DIR* | FOLDER*)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$1")
		;;
	esac
}

_headcount() {
	local program=$1 commands words word each value='' command=() arguments=0
	COMPREPLY=()
	commands=$'\n'$(_headcount_commands "$program")$'\n'

	# COMP_WORDS has --space=A in three words, and a:b too.
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}x"
	word=${words[-1]%x}
	for each in "${words[@]:1:${#words[@]}-2}"; do
		if [[ -n $value ]]; then
			value=
		elif [[ $each == -* ]]; then
			value=$(_headcount_value "$each" "$program" "${command[@]}")
		elif [[ $arguments == 0 && $commands == *$'\n'"${command[*]}${command:+ }$each"[$' \n']* ]]; then
			command+=("$each")
		else
			((++arguments))
		fi
	done

	if [[ $word == --*=* ]]; then
		value=$(_headcount_value "${word%%=*}" "$program" "${command[@]}")
		word=${word#*=}
	elif [[ -z $value && $word == -* ]]; then
		_headcount_complete "$word" "$(_headcount_options "$program" "${command[@]}")"
		[[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace
		return
	elif [[ -z $value && $commands == *$'\n'"${command[*]}"$'\n'* ]]; then
		value=$(_headcount_argument $((arguments + 1)) "$program" "${command[@]}")
	fi
	if [[ -n $value ]]; then
		_headcount_complete_value "$word" "$value" "$program"
	elif [[ $arguments == 0 && $commands != *$'\n'"${command[*]}"$'\n'* ]]; then
		_headcount_complete "$word" "$(sed -n "s/^${command[*]}${command:+ }//p" <<<"$commands" | cut -d' ' -f1 | sort -u)"
	fi
}

complete -F _headcount headcount
