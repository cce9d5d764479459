# What clusterset-exporter counts, for awk -F'"': requests and bytes by address and status, probes apart.
{
  split($1, head, " ")
  split($3, reply, " ")
  if ($6 ~ /^clusterset-exporter\//) {
    probes++
  } else {
    requests[head[1], reply[1]]++
    bytes[head[1], reply[1]] += reply[2]
  }
}
END {
  for (key in requests) {
    split(key, part, SUBSEP)
    print part[1], part[2], requests[key], bytes[key]
  }
  print "probes", probes
}
