# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# What of the library ran: reads the list of gaps, then what `gcov -t -b` says of each object;
# prints lines and functions by file and in total, each reason why that is not enough, and
#
#	count PASSED FAILED 0
#
# -v library=DIR/ counts only what lies there, -v lines=PERCENT is the least for lines; all functions
# have to run. A line in several objects (of a header) ran if it ran in one of them. Fails closed:
# with nothing to read, nothing was covered.

function refuse(why) {
	print why
	failed++
}

function percent(part, whole) {
	return whole ? sprintf("%.2f %%", 100 * part / whole) : "-"
}

function trimmed(text) {
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

# FILE <tab> what <tab> why; see gaps.
FILENAME != "-" {
	if ($0 ~ /^(#.*)?$/)
		next
	n = split($0, field, /\t+/)
	if (n != 3) {
		refuse(FILENAME ":" FNR ": not FILE, what, why")
		next
	}
	gap++
	sometimes[gap] = sub(/^[?] /, "", field[2])
	gap_place[gap] = FILENAME ":" FNR
	key = field[1] SUBSEP field[2]
	if (key in gap_of)
		refuse(FILENAME ":" FNR ": a second time: " field[1] ": " field[2])
	gap_of[key] = gap
	next
}

/^ +-: +0:Source:/ {
	file = $0
	sub(/^[^:]*: +0:Source:/, "", file)
	ours = index(file, library) == 1
	file = substr(file, length(library) + 1)
	inside = ""
	next
}

!ours { next }

/^function / {
	inside = $2
	sub(/\..*/, "", inside)
	if (!((file, inside) in ran))
		function_of[++functions] = file SUBSEP inside
	ran[file, inside] += $4
	next
}

/^ *([0-9]+[*]?|#####|=====): *[0-9]+:/ {
	split($0, field, ":")
	number = field[2] + 0
	text = $0
	sub(/^[^:]*:[^:]*:/, "", text)
	key = file SUBSEP number
	if (!(key in count)) {
		place[++places] = key
		text_of[key] = trimmed(text)
	}
	if (inside != "")
		inside_of[key] = inside
	count[key] += field[1] + 0
}

END {
	for (i = 1; i <= places; i++) {
		key = place[i]
		split(key, part, SUBSEP)
		file = part[1]
		if (!(file in all)) {
			file_of[++files] = file
		}
		all[file]++
		total++
		by_text = file SUBSEP inside_of[key] ": " text_of[key]
		by_function = file SUBSEP inside_of[key] "()"
		if (by_text in gap_of)
			there[gap_of[by_text]] = 1
		if (by_function in gap_of)
			there[gap_of[by_function]] = 1
		if (count[key]) {
			hit[file]++
			hits++
		} else if (by_text in gap_of) {
			used[gap_of[by_text]] = 1
		} else if (by_function in gap_of) {
			used[gap_of[by_function]] = 1
		} else {
			refuse(file ":" part[2] ": did not run: " inside_of[key] ": " text_of[key])
		}
	}
	for (i = 1; i <= functions; i++) {
		split(function_of[i], part, SUBSEP)
		all_functions[part[1]]++
		if (ran[part[1], part[2]])
			hit_functions[part[1]]++
		else
			refuse(part[1] ": " part[2] "() did not run")
		good += ran[part[1], part[2]] > 0
	}
	for (i = 1; i <= gap; i++)
		if (!used[i] && !(sometimes[i] && there[i]))
			refuse(gap_place[i] ": explains nothing")
	for (i = 1; i <= files; i++) {
		file = file_of[i]
		printf "%-24s lines %4d of %4d, %8s; functions %3d of %3d\n", file, hit[file],
			all[file], percent(hit[file], all[file]), hit_functions[file], all_functions[file]
	}
	printf "%-24s lines %4d of %4d, %8s; functions %3d of %3d\n", "total", hits, total,
		percent(hits, total), good, functions
	if (!total || 100 * hits < lines * total)
		refuse("lines: less than " lines " %")
	printf "count %d %d 0\n", hits + good, failed
}
