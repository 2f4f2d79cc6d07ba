# Holds a listening socket over the lives of its servers, as a supervisor does: each line of the standard
# input starts the command of the arguments with the socket as descriptor 3, and its process id is printed.
# Arguments: address, port, command. A server's standard input ends when the holder does.
use strict;
use warnings;
use Socket;

$| = 1;
# Descriptors up to this one are inherited.
$^F = 3;
my ($host, $port, @command) = @ARGV;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
fileno($listener) == 3 or die 'descriptor 3 is taken';
bind($listener, sockaddr_in($port, inet_aton($host))) or die "bind: $!";
listen($listener, 1024) or die "listen: $!";
$SIG{CHLD} = 'IGNORE';
my @leads;
while (<STDIN>) {
  pipe(my $end, my $lead) or die "pipe: $!";
  push @leads, $lead;
  my $pid = fork() // die "fork: $!";
  if ($pid == 0) {
    open(STDIN, '<&', $end) or die "dup: $!";
    exec(@command) or die "exec: $!";
  }
  print "child $pid\n";
}
