<?php
// The pages of a small application whose sessions lie in larderd: /count counts, /leave ends the session.
if (!session_start()) {
    http_response_code(503);
    echo 'no session';
    return;
}
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/leave') {
    session_destroy();
    echo 'left';
    return;
}
$_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
$_SESSION['words'] = str_repeat('a long session ', (int) ($_GET['words'] ?? 0));
echo $_SESSION['count'];
