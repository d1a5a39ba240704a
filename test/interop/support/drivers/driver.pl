# libnet-stomp-perl, driven by lines of JSON (stomp-driver.ts). Texts stay the bytes of their UTF-8 throughout.
use strict;
use warnings;
use IO::Select;
use JSON::PP;
use Net::Stomp;
use Net::Stomp::Frame;

$| = 1;
my $json = JSON::PP->new->utf8(0)->canonical;
my %stomps;
my $input = '';

sub say_line { print $json->encode($_[0]), "\n" }

sub told {
    my ($frame) = @_;
    my %headers = map { $_ => '' . ($frame->headers->{$_} // '') } keys %{ $frame->headers };
    return { headers => \%headers, body => $frame->body // '' };
}

sub hear {
    my ($at, $frame) = @_;
    my $command = $frame->command;
    say_line({ at => $at, message => told($frame) }) if $command eq 'MESSAGE';
    say_line({ at => $at, error => told($frame) }) if $command eq 'ERROR';
    say_line({ at => $at, receipt => $frame->headers->{'receipt-id'} }) if $command eq 'RECEIPT';
}

# All that has come on a connection. One that has ended is forgotten: the library would open another one.
sub receive {
    my ($at) = @_;
    my $stomp = $stomps{$at};
    while ($stomp->can_read({ timeout => 0 })) {
        my $frame = $stomp->receive_frame({ timeout => 0.05 });
        if ($frame) { hear($at, $frame); next }
        # A heart-beat, or a part of a frame.
        return if $stomp->socket->opened;
        delete $stomps{$at};
        say_line({ at => $at, closed => JSON::PP::true });
        return;
    }
}

sub connect_stomp {
    my ($command) = @_;
    my $stomp = Net::Stomp->new({ hostname => $command->{host}, port => $command->{port}, timeout => 5 });
    my %headers;
    $headers{$_} = $command->{$_} for grep { defined $command->{$_} } qw(login passcode);
    if ($command->{version} ne '1.0') {
        $headers{'accept-version'} = $command->{version};
        $headers{host} = $command->{host};
    }
    $headers{'heart-beat'} = join ',', @{ $command->{heartBeat} } if $command->{heartBeat};
    my $frame = $stomp->connect(\%headers);
    die 'ERROR ' . $frame->headers->{message} . "\n" if $frame->command ne 'CONNECTED';
    $stomps{ $command->{at} } = $stomp;
    return { version => $frame->headers->{version} };
}

sub frame_of {
    my ($message) = @_;
    return Net::Stomp::Frame->new({ command => 'MESSAGE', headers => $message->{headers}, body => $message->{body} });
}

sub act {
    my ($command) = @_;
    my $what = $command->{do};
    return connect_stomp($command) if $what eq 'connect';
    my $stomp = $stomps{ $command->{at} } or die "there is no such connection\n";
    my $headers = $command->{headers} // {};
    if ($what eq 'send') {
        $stomp->send({ %$headers, destination => $command->{destination}, body => $command->{body} });
    } elsif ($what eq 'subscribe' || $what eq 'unsubscribe') {
        $stomp->$what({ %$headers, destination => $command->{destination} });
    } elsif ($what eq 'ack' || $what eq 'nack') {
        my $frame = frame_of($command->{message});
        # It knows `message-id` only; 1.2 wants `id`.
        my $id = $frame->headers->{ack};
        $stomp->$what({ frame => $frame, (defined $id ? (id => $id) : ()), %$headers });
    } elsif ($what =~ /^(?:begin|commit|abort)$/) {
        my $transaction = { %$headers, transaction => $command->{transaction} };
        $stomp->send_frame(Net::Stomp::Frame->new({ command => uc $what, headers => $transaction }));
    } elsif ($what eq 'send_with_receipt' || $what eq 'send_transactional') {
        my $message = { %$headers, destination => $command->{destination}, body => $command->{body} };
        die "no receipt\n" unless $stomp->$what($message);
    } elsif ($what eq 'work') {
        $stomp->subscribe({ %$headers, destination => $command->{destination} });
        my $frame = $stomp->receive_frame({ timeout => 5 }) or die "nothing came\n";
        $stomp->ack({ frame => $frame });
        return { message => told($frame) };
    } elsif ($what eq 'leave') {
        $stomp->disconnect;
        delete $stomps{ $command->{at} };
    }
    return {};
}

while (1) {
    my $ready = IO::Select->new(\*STDIN, map { $_->socket } values %stomps);
    my @handles = $ready->can_read;
    receive($_) for keys %stomps;
    next unless grep { $_ == \*STDIN } @handles;
    sysread(STDIN, $input, 65536, length $input) or last;
    while ($input =~ s/^(.*?)\n//) {
        my $command = $json->decode($1);
        my $answer = eval { act($command) };
        $answer = { failed => "$@" } unless $answer;
        say_line({ %$answer, id => $command->{id} });
        receive($_) for keys %stomps;
    }
}
