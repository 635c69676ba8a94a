/* nc: carry standard input and output over one TCP or UDP socket, or answer connections with a program.
 *
 *   nc [-46nuvz] [-w SEC] [-s ADDR] [-p PORT] HOST PORT
 *   nc [-46nuv] -l|-ll [-k] [-w SEC] [-s ADDR] -p PORT [-e PROG ARG...]
 *
 * -k, or -ll with -e, keeps listening after a connection ends. -e takes the rest of the line.
 * A UDP listener with -e runs PROG once for each datagram: the datagram is its input, its output is the answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    int family, listen, keep, udp, verbose, numeric, probe, wait_ms;
    const char *source, *port;
    char **program;
} opt = {.family = AF_UNSPEC, .wait_ms = -1};

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("nc: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

static void usage(void)
{
    fputs("usage: nc [-46nuvz] [-w SEC] [-s ADDR] [-p PORT] HOST PORT\n"
          "       nc [-46nuv] -l|-ll [-k] [-w SEC] [-s ADDR] -p PORT [-e PROG ARG...]\n", stderr);
    exit(2);
}

static struct addrinfo *resolve(const char *host, const char *port, int flags)
{
    struct addrinfo hints = {.ai_family = opt.family, .ai_flags = flags | (opt.numeric ? AI_NUMERICHOST : 0),
                             .ai_socktype = opt.udp ? SOCK_DGRAM : SOCK_STREAM}, *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error)
        die("%s port %s: %s", host ? host : "any address", port ? port : "any", gai_strerror(error));
    return found;
}

static int write_all(int fd, const char *data, ssize_t left)
{
    while (left > 0) {
        ssize_t done = write(fd, data, left);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return -1;
        data += done;
        left -= done;
    }
    return 0;
}

/* Stdin to peer and peer to stdout, until nothing moves for -w seconds or the peer has ended its side;
 * then what stands ready on stdin is still sent, as the peer may have closed one direction only. */
static int shuttle(int peer)
{
    static char data[65536];
    struct pollfd fds[2] = {{.fd = peer, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    int sent = 0, wait_ms = opt.wait_ms;
    for (;;) {
        int ready = poll(fds, 2, wait_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ready;
        if (fds[0].revents) {
            ssize_t got = read(peer, data, sizeof data);
            if (got < 0)
                return -1;
            if (got == 0 && !opt.udp) {
                fds[0].fd = -1;
                wait_ms = 0;
            }
            if (write_all(STDOUT_FILENO, data, got))
                return -1;
        }
        if (fds[1].revents) {
            ssize_t got = read(STDIN_FILENO, data, opt.udp ? 1024 : sizeof data);
            if (got > 0) {
                sent = 1;
                if (write_all(peer, data, got))
                    return -1;
            } else {
                fds[1].fd = -1;
                /* A listener in the background has /dev/null as input: it has nothing to say, but may hear. */
                if (!opt.udp && (sent || !opt.listen))
                    shutdown(peer, SHUT_WR);
            }
        }
    }
}

static void run_program(int in, int out)
{
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execvp(opt.program[0], opt.program);
    fprintf(stderr, "nc: %s: %s\n", opt.program[0], strerror(errno));
    _exit(127);
}

static int connect_in_time(int fd, const struct addrinfo *to)
{
    int flags = fcntl(fd, F_GETFL), error = 0;
    socklen_t size = sizeof error;
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    if (connect(fd, to->ai_addr, to->ai_addrlen)) {
        if (errno != EINPROGRESS)
            return -1;
        if (poll(&writable, 1, opt.wait_ms) != 1) {
            errno = ETIMEDOUT;
            return -1;
        }
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            errno = error;
            return -1;
        }
    }
    fcntl(fd, F_SETFL, flags);
    return 0;
}

static void bind_source(int fd, int family, int for_listening)
{
    int kept_family = opt.family, on = 1;
    opt.family = family;
    struct addrinfo *own = resolve(opt.source, opt.port, AI_PASSIVE);
    opt.family = kept_family;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, own->ai_addr, own->ai_addrlen))
        die("%s port %s: %s", opt.source ? opt.source : "own", opt.port, strerror(errno));
    if (for_listening && !opt.udp && listen(fd, 64))
        die("port %s: %s", opt.port, strerror(errno));
    freeaddrinfo(own);
}

static int be_client(const char *host, const char *port)
{
    struct addrinfo *to = resolve(host, port, 0);
    int fd = -1;
    for (; to; to = to->ai_next) {
        fd = socket(to->ai_family, to->ai_socktype, 0);
        if (fd < 0)
            continue;
        if (opt.source || opt.port)
            bind_source(fd, to->ai_family, 0);
        if (!connect_in_time(fd, to))
            break;
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        die("%s port %s: %s", host, port, strerror(errno));
    if (opt.verbose)
        fprintf(stderr, "nc: %s port %s is open\n", host, port);
    if (opt.probe)
        return 0;
    return shuttle(fd) < 0;
}

static int listening_socket(void)
{
    int family = opt.family != AF_UNSPEC ? opt.family : AF_INET6, off = 0;
    if (opt.family == AF_UNSPEC && opt.source && !strchr(opt.source, ':'))
        family = AF_INET;
    int fd = socket(family, opt.udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (fd < 0 && family == AF_INET6)
        fd = socket(family = AF_INET, opt.udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    if (family == AF_INET6 && opt.family == AF_UNSPEC)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    bind_source(fd, family, 1);
    return fd;
}

static int serve_tcp(void)
{
    int listener = listening_socket(), status = 0;
    int forever = opt.keep || (opt.listen > 1 && opt.program);
    do {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            die("accept: %s", strerror(errno));
        }
        if (!forever)
            close(listener);
        if (!opt.program)
            status = shuttle(peer) < 0;
        else if (!forever || fork() == 0)
            run_program(peer, peer);
        close(peer);
    } while (forever);
    return status;
}

/* One datagram in, the program's output back. */
static void answer_datagram(int fd)
{
    static char data[65536];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    int input[2], output[2];
    ssize_t got = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &size);
    if (got < 0)
        return;
    if (pipe(input) || pipe(output))
        die("pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        close(input[1]);
        close(output[0]);
        run_program(input[0], output[1]);
    }
    close(input[0]);
    close(output[1]);
    write_all(input[1], data, got < 4096 ? got : 4096); /* what a pipe surely holds */
    close(input[1]);
    while ((got = read(output[0], data, 1024)) > 0)
        sendto(fd, data, got, 0, (struct sockaddr *)&from, size);
    close(output[0]);
}

static int serve_udp(void)
{
    int forever = opt.keep || opt.listen > 1;
    int fd = listening_socket();
    if (opt.program) {
        do
            answer_datagram(fd);
        while (forever);
        return 0;
    }
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int status;
    do {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        char first;
        if (recvfrom(fd, &first, 1, MSG_PEEK, (struct sockaddr *)&from, &size) < 0)
            die("receive: %s", strerror(errno));
        if (connect(fd, (struct sockaddr *)&from, size))
            die("connect: %s", strerror(errno));
        status = shuttle(fd) < 0;
        connect(fd, &nobody, sizeof nobody);
    } while (forever);
    return status;
}

int main(int argc, char **argv)
{
    int option;
    while (!opt.program && (option = getopt(argc, argv, "46e:klnp:s:uvw:z")) != -1)
        switch (option) {
        case '4': opt.family = AF_INET; break;
        case '6': opt.family = AF_INET6; break;
        case 'e': opt.program = &argv[optind - 1]; break;
        case 'k': opt.keep = 1; break;
        case 'l': opt.listen++; break;
        case 'n': opt.numeric = 1; break;
        case 'p': opt.port = optarg; break;
        case 's': opt.source = optarg; break;
        case 'u': opt.udp = 1; break;
        case 'v': opt.verbose = 1; break;
        case 'w': opt.wait_ms = atoi(optarg) * 1000; break;
        case 'z': opt.probe = 1; break;
        default: usage();
        }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    if (opt.listen) {
        if (!opt.port && !opt.program && optind < argc)
            opt.port = argv[optind++];
        if (!opt.port)
            usage();
        return opt.udp ? serve_udp() : serve_tcp();
    }
    if (opt.program || argc - optind != 2)
        usage();
    return be_client(argv[optind], argv[optind + 1]);
}
